import type { FinishReason } from '@setblock/shared'
import type { DecoderInput } from './decoder.ts'
import type { GrammarPlace } from './grammar-place.ts'
import type { RowResults } from './rows.ts'
import { pick, pickAllowed, type Pick } from './sampler.ts'

/** Tokens without a choice that one forward may add: with a whole draft they still fit into one reveal event. */
export const FORCED_RUN_MAX = 32

/** What happened when tokens were taken. */
export interface Taken {
  readonly tokenIds: readonly number[]
  readonly finish?: FinishReason
}

/** The frontier of a text: its position and, if the text follows a grammar, its place in that. */
export class TextCursor {
  readonly #input: DecoderInput
  #position: number
  #place: GrammarPlace | undefined

  constructor(input: DecoderInput) {
    this.#input = input
    this.#position = input.start
    this.#place = input.grammar
  }

  /** Absolute, of the token that comes next. */
  get position(): number {
    return this.#position
  }

  /** A cursor of its own at the same place, to look ahead with. */
  copy(): TextCursor {
    const copy = new TextCursor(this.#input)
    copy.#position = this.#position
    copy.#place = this.#place
    return copy
  }

  /** The token that must come, if the grammar leaves no choice; the stop token where nothing else can. */
  get forced(): number | undefined {
    if (this.#place?.mustEnd !== true) return this.#place?.forced
    const [stop] = this.#input.stopTokenIds
    return stop
  }

  allows(tokenId: number): boolean {
    const place = this.#place
    if (place === undefined) return true
    return this.#input.stopTokenIds.has(tokenId) ? place.mayEnd : place.after(tokenId) !== undefined
  }

  /**
   * The token that comes next by a row of the results: the one without a choice, else one of those allowed. `figures`
   * says whether its entropy and surprise matter.
   */
  choose(results: RowResults, row: number, figures: boolean): Pick {
    const { sampling, stopTokenIds } = this.#input
    const place = this.#place
    if (place === undefined) return pick(results, row, this.#position, sampling)
    const { forced } = this
    if (forced !== undefined) return { tokenId: forced, entropy: 0, surprise: 0 }
    return pickAllowed(results, row, this.#position, {
      sampling,
      figures,
      allows: (tokenId) => this.allows(tokenId),
      otherwise: () => (place.mayEnd ? [...stopTokenIds][0] : undefined) ?? place.nearest(),
    })
  }

  /** Moves behind an allowed token; tells whether the text ends there. */
  take(tokenId: number): FinishReason | undefined {
    const { stopTokenIds, end } = this.#input
    this.#position += 1
    if (stopTokenIds.has(tokenId)) return 'stop'
    this.#place = this.#place?.after(tokenId)
    const over = this.#place?.mustEnd === true
    if (over && stopTokenIds.size === 0) return 'stop'
    if (this.#position < end) return undefined
    return over ? 'stop' : 'length'
  }

  /** Takes what follows without a choice. It costs no forward. */
  takeForced(): Taken {
    const tokenIds: number[] = []
    for (let { forced } = this; forced !== undefined; forced = this.forced) {
      if (tokenIds.push(forced) > FORCED_RUN_MAX) return { tokenIds: tokenIds.slice(0, -1) }
      const finish = this.take(forced)
      if (finish !== undefined) return { tokenIds, finish }
    }
    return { tokenIds }
  }
}
