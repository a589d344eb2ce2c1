/**
 * A part of a JSON text that is yet to be written. An automaton's stack is made of frames; the one on top takes the next
 * byte. Frames never change.
 */
export interface Frame {
  /** Whether nothing more need come for it. */
  readonly mayEnd: boolean
  /** Bytes of the shortest text that ends it. */
  readonly least: number
  /** The byte that must come next, if there is only one and the frame may not end. */
  readonly only: number | undefined
  /** What may stand in its place behind `byte`; nothing if the byte cannot come. */
  step(byte: number): readonly Replacement[]
}

/** Frames, the first on top; none if the frame is done. */
export type Replacement = readonly Frame[]

export const DONE: readonly Replacement[] = [[]]
export const REFUSED: readonly Replacement[] = []

const utf8 = new TextEncoder()

/** One of several texts, none of them empty, from some byte on where they are alike before. */
export class Literal implements Frame {
  readonly mayEnd = false
  readonly least: number
  readonly only: number | undefined
  readonly #texts: readonly Uint8Array[]
  readonly #at: number
  readonly #next = new Map<number, readonly Replacement[]>()

  constructor(texts: readonly Uint8Array[], at = 0) {
    this.#texts = texts
    this.#at = at
    this.only = commonByte(texts.map((text) => text[at]))
    this.least = Math.min(...texts.map((text) => text.length - at))
  }

  static of(...texts: readonly string[]): Literal {
    return new Literal(texts.map((text) => utf8.encode(text)))
  }

  step(byte: number): readonly Replacement[] {
    const known = this.#next.get(byte)
    if (known !== undefined) return known
    const at = this.#at + 1
    const fitting = this.#texts.filter((text) => text[this.#at] === byte)
    const longer = fitting.filter((text) => text.length > at)
    const done = longer.length < fitting.length ? DONE : REFUSED
    const next = longer.length === 0 ? done : [...done, [new Literal(longer, at)]]
    this.#next.set(byte, next)
    return next
  }
}

/** One of several sequences of frames, none of which begins with a frame that may end. */
export class Choice implements Frame {
  readonly mayEnd = false
  readonly least: number
  readonly #expand: () => readonly Replacement[]
  #alternatives: readonly Replacement[] | undefined
  #only: { readonly byte: number | undefined } | undefined

  /** `expand` is asked when the frame is first stepped, so that rules may contain themselves. */
  constructor(least: number, expand: () => readonly Replacement[]) {
    this.least = least
    this.#expand = expand
  }

  get only(): number | undefined {
    this.#only ??= { byte: commonByte(this.#expanded().map(([first]) => first?.only)) }
    return this.#only.byte
  }

  step(byte: number): readonly Replacement[] {
    return this.#expanded().flatMap(([first, ...rest]) =>
      (first as Frame).step(byte).map((replacement) => [...replacement, ...rest]),
    )
  }

  #expanded(): readonly Replacement[] {
    return (this.#alternatives ??= this.#expand())
  }
}

/** The byte that all of them are, if they are one. */
export function commonByte(bytes: readonly (number | undefined)[]): number | undefined {
  const [first] = bytes
  return bytes.every((byte) => byte === first) ? first : undefined
}
