import type { GrammarPlace } from '../decoding/grammar-place.ts'
import type { JsonState } from './json-state.ts'
import type { Vocabulary } from './vocabulary.ts'

/** Bytes looked at for tokens without a choice: longer than tokens are, so that their boundaries are sure. */
const FORCED_BYTES_MAX = 64

/** A place in a JSON text, in tokens. */
export class TokenPlace implements GrammarPlace {
  readonly #vocabulary: Vocabulary
  readonly #state: JsonState
  readonly #after = new Map<number, TokenPlace | undefined>()
  #forced: { readonly tokenId: number | undefined } | undefined

  constructor(vocabulary: Vocabulary, state: JsonState) {
    this.#vocabulary = vocabulary
    this.#state = state
  }

  get mayEnd(): boolean {
    return this.#state.mayEnd
  }

  get mustEnd(): boolean {
    return this.#state.mustEnd
  }

  after(tokenId: number): TokenPlace | undefined {
    if (!this.#after.has(tokenId)) this.#after.set(tokenId, this.#follow(tokenId))
    return this.#after.get(tokenId)
  }

  #follow(tokenId: number): TokenPlace | undefined {
    const bytes = this.#vocabulary.bytesOf(tokenId)
    const state = bytes === undefined ? undefined : walk(this.#state, bytes)
    if (state === undefined) return undefined
    return state === this.#state ? this : new TokenPlace(this.#vocabulary, state)
  }

  get forced(): number | undefined {
    this.#forced ??= { tokenId: this.#findForced() }
    return this.#forced.tokenId
  }

  /**
   * The first token of the bytes that must come, as the tokenizer would write them. Where a token that begins in it may
   * go on into what is free, that one may be the better way to write the same, and nothing is forced.
   */
  #findForced(): number | undefined {
    const bytes: number[] = []
    const states = [this.#state]
    for (let state = this.#state; state.only !== undefined && bytes.length < FORCED_BYTES_MAX;) {
      bytes.push(state.only)
      state = state.step(state.only) as JsonState
      states.push(state)
    }
    const [first] = this.#vocabulary.encode(Uint8Array.from(bytes))
    if (first === undefined || states.at(-1)?.mustEnd === true) return first
    const length = this.#vocabulary.bytesOf(first)?.length ?? 0
    for (let start = 0; start < length; start += 1) {
      const rest = Uint8Array.from(bytes.slice(start))
      if (this.#mayGoBeyond(rest, states[start] as JsonState)) return undefined
    }
    return first
  }

  /** Whether a token is allowed that begins with these bytes and is longer. */
  #mayGoBeyond(bytes: Uint8Array, state: JsonState): boolean {
    for (const tokenId of this.#vocabulary.longerThan(bytes)) {
      const token = this.#vocabulary.bytesOf(tokenId)
      if (token !== undefined && walk(state, token) !== undefined) return true
    }
    return false
  }

  /**
   * The one-byte token behind which the text is nearest to its end, the least byte among equals. Every place has one that
   * leads nearer, so where nothing likely is allowed the value at hand comes to its end.
   */
  nearest(): number {
    let best: { byte: number; least: number } | undefined
    for (let byte = 0; byte < 256; byte += 1) {
      const least = this.#state.step(byte)?.least
      if (least !== undefined && least < (best?.least ?? Number.POSITIVE_INFINITY)) {
        best = { byte, least }
      }
    }
    if (best === undefined) throw new Error('nothing can follow here')
    return this.#vocabulary.tokenOfByte(best.byte)
  }
}

function walk(start: JsonState, bytes: Uint8Array): JsonState | undefined {
  let state: JsonState | undefined = start
  for (const byte of bytes) {
    state = state.step(byte)
    if (state === undefined) return undefined
  }
  return state
}
