import type { Engine, SequenceId, SequenceRows } from '../engine/engine.ts'
import { TOP_CANDIDATES, type RowResults } from '../decoding/rows.ts'
import { uniform } from '../decoding/rng.ts'

export const TOY_MASK = 3
export const TOY_STOP = 2
const FIRST_WORD = 8
const WORDS = 48

/**
 * The toy language: the next token depends on the last two tokens; about one in thirty is the stop
 * token.
 */
export function toyNext(context: readonly number[]): number {
  const [a = 0, b = 0] = context.slice(-2)
  const draw = Math.floor(uniform(a * 131 + b, 5) * 1000)
  return draw % 31 === 0 ? TOY_STOP : FIRST_WORD + (draw % WORDS)
}

export interface ToyOptions {
  /** Share of masked predictions that miss the token the toy language would give. */
  readonly missRate: number
  readonly sequencesMax?: number
  /** Ordinals (from 0) of the forwards that throw. */
  readonly failingForwards?: ReadonlySet<number>
}

/**
 * An Engine over a toy language, for tests of decoding and scheduling: it honours tail, groups,
 * commits and slots, keeps what was cached, and can be made to fail. Masked predictions follow the
 * language with a chosen error rate.
 */
export class ToyEngine implements Engine {
  readonly limits = { sequencesMax: 4, contextLength: 4096, rowsMax: 1024, maxBlockLength: 16 }
  readonly batches: (readonly SequenceRows[])[] = []
  /** Called within every forward. */
  onForward: () => void = () => undefined
  readonly #cached = new Map<SequenceId, number[]>()
  readonly #last = new Map<SequenceId, readonly number[]>()
  readonly #options: ToyOptions
  #opened = 0

  constructor(options: ToyOptions) {
    this.#options = options
    this.limits.sequencesMax = options.sequencesMax ?? this.limits.sequencesMax
  }

  get openSequences(): number {
    return this.#cached.size
  }

  cachedTokens(sequence: SequenceId): readonly number[] {
    return this.#cached.get(sequence) ?? []
  }

  open(): SequenceId {
    if (this.#cached.size >= this.limits.sequencesMax) throw new Error('no free sequence')
    const sequence = this.#opened++
    this.#cached.set(sequence, [])
    return sequence
  }

  close(sequence: SequenceId): void {
    this.#cached.delete(sequence)
  }

  cachedLength(sequence: SequenceId): number {
    return this.cachedTokens(sequence).length
  }

  async forward(batch: readonly SequenceRows[]): Promise<RowResults[]> {
    const ordinal = this.batches.push(batch) - 1
    if (this.#options.failingForwards?.has(ordinal))
      throw new Error('the toy engine was told to fail')
    this.onForward()
    return batch.map((rows) => {
      this.#last.set(rows.sequence, rows.tail)
      return this.#results(rows)
    })
  }

  commit(sequence: SequenceId, rows: number): void {
    this.#cached.get(sequence)?.push(...(this.#last.get(sequence) ?? []).slice(0, rows))
  }

  /** A toy row holds its token. */
  async exportRows(sequence: SequenceId, start: number, rows: number) {
    const tokens = this.cachedTokens(sequence).slice(start, start + rows)
    return Float32Array.from(tokens)
  }

  async importRows(sequence: SequenceId, data: Float32Array, rows: number): Promise<void> {
    this.#cached.get(sequence)?.push(...data.subarray(0, rows))
  }

  async dispose(): Promise<void> {}

  #results(rows: SequenceRows): RowResults {
    const cached = this.cachedTokens(rows.sequence)
    const clean = (length: number): number[] => [...cached, ...rows.tail.slice(0, length)]
    const firstRead = rows.tail.length - rows.readTail
    const tail = Array.from({ length: rows.readTail }, (_, i) => toyNext(clean(firstRead + i + 1)))
    const groups = rows.groups.flatMap((group) => this.#guess(clean(group.afterTail), group.tokens))
    const all = [...tail.map((id) => ({ id, entropy: 0.05 })), ...groups]
    // As in the real engine: whoever reads what it did not ask for sees no number.
    const unasked = rows.entropies === 'groups' ? tail.length : 0
    const topRows = rows.top === 'all' ? all : rows.top === 'tail' ? all.slice(0, tail.length) : []
    return {
      ids: Int32Array.from(all, ({ id }) => id),
      ...(rows.entropies !== 'none' && {
        entropies: Float32Array.from(all, ({ entropy }) => entropy).fill(Number.NaN, 0, unasked),
        logprobs: new Float32Array(all.length).fill(TOP_LOGPROB).fill(Number.NaN, 0, unasked),
      }),
      ...(topRows.length > 0 && topOf(topRows.map(({ id }) => id))),
    }
  }

  /**
   * A block's rows: the language's own continuation over revealed tokens, wrong at `missRate` of
   * the masks.
   */
  #guess(context: number[], tokens: readonly number[]): { id: number; entropy: number }[] {
    const text = [...context]
    return tokens.map((token, index) => {
      const truth = toyNext(text)
      text.push(token === TOY_MASK ? truth : token)
      const luck = uniform(text.length * 7919 + truth, index)
      const miss = luck < this.#options.missRate
      return miss
        ? { id: FIRST_WORD + ((truth + 5) % WORDS), entropy: 0.5 + luck }
        : { id: truth, entropy: luck / 10 }
    })
  }
}

/** Log probability of the first of TOP_CANDIDATES whose logits fall by one each, see topOf. */
const TOP_LOGPROB = -Math.log(
  Array.from({ length: TOP_CANDIDATES }, (_, rank) => Math.exp(-rank)).reduce((a, b) => a + b),
)

/**
 * Top candidates around each id: the id itself first, its neighbours behind with falling logits.
 */
function topOf(ids: readonly number[]): { topIds: Int32Array; topLogits: Float32Array } {
  const topIds = new Int32Array(ids.length * TOP_CANDIDATES)
  const topLogits = new Float32Array(ids.length * TOP_CANDIDATES)
  for (const [row, id] of ids.entries()) {
    for (let rank = 0; rank < TOP_CANDIDATES; rank += 1) {
      topIds[row * TOP_CANDIDATES + rank] = rank === 0 ? id : FIRST_WORD + ((id + rank) % 64)
      topLogits[row * TOP_CANDIDATES + rank] = -rank
    }
  }
  return { topIds, topLogits }
}
