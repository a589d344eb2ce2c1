import { commonByte, type Frame } from './frame.ts'
import { RuleFrames } from './rule-frames.ts'
import type { RuleNode } from './rule.ts'

/** Ways to read the same text that are kept apart. Beyond them some are dropped: it narrows what may follow. */
const STACKS_MAX = 128

/** Frames of the values that are open, the innermost on top. */
interface Stack {
  readonly frame: Frame
  readonly below: Stack | undefined
  /** Bytes of the shortest text that ends all of it. */
  readonly least: number
}

/**
 * A place in a JSON text that satisfies a rule: all stacks that the bytes so far lead to. Never changes, so going back is
 * keeping the state before. Every state has a way to an end.
 */
export class JsonState {
  readonly #stacks: readonly Stack[]
  /** Whether the text may end here. */
  readonly mayEnd: boolean
  readonly #next = new Map<number, JsonState | undefined>()

  private constructor(stacks: readonly Stack[], complete: boolean) {
    this.#stacks = stacks
    this.mayEnd = complete || stacks.some(canEnd)
  }

  static start(root: RuleNode): JsonState {
    return new JsonState([push([new RuleFrames().value(root)], undefined) as Stack], false)
  }

  /** Whether nothing can follow. */
  get mustEnd(): boolean {
    return this.#stacks.length === 0
  }

  /** Bytes of the shortest text from here to an end. */
  get least(): number {
    return this.mayEnd ? 0 : Math.min(...this.#stacks.map(({ least }) => least))
  }

  /** The byte that must come next, if there is only one and the text may not end. */
  get only(): number | undefined {
    if (this.mayEnd) return undefined
    return commonByte(this.#stacks.map(({ frame }) => (frame.mayEnd ? undefined : frame.only)))
  }

  /** The place behind one more byte; undefined if it cannot come. */
  step(byte: number): JsonState | undefined {
    if (!this.#next.has(byte)) this.#next.set(byte, this.#step(byte))
    return this.#next.get(byte)
  }

  #step(byte: number): JsonState | undefined {
    const reached = new Set<Stack | undefined>()
    for (const stack of this.#stacks) stepInto(reached, stack, byte)
    if (reached.size === 0) return undefined
    const complete = reached.delete(undefined)
    const stacks = [...reached].slice(0, STACKS_MAX) as Stack[]
    const unchanged = !complete && stacks.length === 1 && stacks[0] === this.#stacks[0]
    return unchanged && this.#stacks.length === 1 ? this : new JsonState(stacks, complete)
  }
}

/** Adds what a stack becomes; undefined stands for the end of the text. */
function stepInto(reached: Set<Stack | undefined>, stack: Stack, byte: number): void {
  const { frame, below } = stack
  for (const replacement of frame.step(byte)) {
    const same = replacement.length === 1 && replacement[0] === frame
    reached.add(same ? stack : push(replacement, below))
  }
  if (frame.mayEnd && below !== undefined) stepInto(reached, below, byte)
}

function push(frames: readonly Frame[], below: Stack | undefined): Stack | undefined {
  return frames.reduceRight<Stack | undefined>(
    (under, frame) => ({ frame, below: under, least: frame.least + (under?.least ?? 0) }),
    below,
  )
}

function canEnd({ frame, below }: Stack): boolean {
  return frame.mayEnd && (below === undefined || canEnd(below))
}
