import type { Rule } from '@setblock/shared'
import { topFor, type Decoder, type DecoderInput, type Outcome } from './decoder.ts'
import { chooseReveals, type Candidate } from './reveal.ts'
import type { ForwardRows, RowResults } from './rows.ts'
import { pick, type Pick } from './sampler.ts'

export interface SetBlockOptions {
  readonly rule: Rule
  /** Nats. */
  readonly gamma: number
  readonly blockLength: number
}

/**
 * Mode `sbd`: Set Block Decoding (arXiv 2509.04185, section 4) with an exact K/V cache.
 *
 * A block starts as k masks. Its first forward also carries the tokens of the block before, causally: they become
 * cached, and the causal logits of the last of them give the block's first token. Each forward then reveals the
 * positions that the rule allows. A stop token that has no mask left of it ends the text; positions right of a stop
 * token, and those past the end of the job, are never revealed.
 */
export class SetBlockDecoder implements Decoder {
  readonly #input: DecoderInput
  readonly #options: SetBlockOptions
  /** Clean tokens whose K/V is not cached yet. Empty after the first forward of a block. */
  #tail: readonly number[]
  #block: number[]
  #blockStart: number
  #blockIndex = 0
  #step = 0

  constructor(input: DecoderInput, options: SetBlockOptions) {
    this.#input = input
    this.#options = options
    this.#tail = input.pending
    this.#blockStart = input.start
    this.#block = this.#maskedBlock()
  }

  plan(): ForwardRows {
    return {
      tail: this.#tail,
      groups: [{ tokens: [...this.#block], afterTail: this.#tail.length }],
      readTail: this.#tail.length > 0 ? 1 : 0,
      entropies: this.#input.sampling.temperature === 0,
      top: topFor(this.#input.sampling, 'all'),
    }
  }

  settle(results: RowResults): Outcome {
    const commit = this.#tail.length
    const chosen = this.#choose(results)
    for (const [index, { tokenId }] of chosen) this.#block[index] = tokenId
    const order = [...chosen.keys()].sort((a, b) => a - b)
    const reveal = {
      block: this.#blockIndex,
      step: this.#step,
      positions: order.map((index) => this.#blockStart + index),
      tokenIds: order.map((index) => (chosen.get(index) as Pick).tokenId),
      entropies: order.map((index) => (chosen.get(index) as Pick).entropy),
    }
    this.#step += 1
    this.#tail = []
    const finish = this.#finish()
    if (finish !== undefined) return { commit, reveal, finish }
    if (this.#openIndices().length === 0) this.#nextBlock()
    return { commit, reveal }
  }

  /** Block index -> token, for the positions revealed by these results. */
  #choose(results: RowResults): Map<number, Pick> {
    const seeded = this.#tail.length > 0
    const picks = new Map<number, Pick>()
    for (const index of this.#openIndices()) {
      const row = seeded && index > 0 ? index + 1 : index // row 0 is the causal one
      picks.set(index, pick(results, row, this.#blockStart + index, this.#input.sampling))
    }
    const seed = seeded ? picks.get(0) : undefined
    const candidates: Candidate[] = []
    for (const [index, { entropy }] of picks)
      if (!seeded || index > 0) candidates.push({ index, entropy })
    const { rule, gamma } = this.#options
    const seedEntropy = seed === undefined ? {} : { seedEntropy: seed.entropy }
    const revealed = chooseReveals({ rule, gamma, candidates, ...seedEntropy })
    return this.#untilStop(picks, seeded ? [0, ...revealed] : revealed)
  }

  /** Leaves out what lies right of a stop token revealed in the same step. */
  #untilStop(picks: ReadonlyMap<number, Pick>, indices: readonly number[]): Map<number, Pick> {
    const chosen = new Map<number, Pick>()
    for (const index of [...indices].sort((a, b) => a - b)) {
      const token = picks.get(index) as Pick
      chosen.set(index, token)
      if (this.#input.stopTokenIds.has(token.tokenId)) break
    }
    return chosen
  }

  /** Masked positions that the text can still reach: left of a revealed stop token and before the end. */
  #openIndices(): number[] {
    const reach = Math.min(this.#block.length, this.#input.end - this.#blockStart)
    const stop = this.#block.findIndex((tokenId) => this.#input.stopTokenIds.has(tokenId))
    const bound = stop === -1 ? reach : Math.min(stop, reach)
    const open: number[] = []
    for (let index = 0; index < bound; index += 1) {
      if (this.#block[index] === this.#input.maskTokenId) open.push(index)
    }
    return open
  }

  #finish(): Outcome['finish'] {
    if (this.#openIndices().length > 0) return undefined
    if (this.#block.some((tokenId) => this.#input.stopTokenIds.has(tokenId))) return 'stop'
    return this.#blockStart + this.#block.length >= this.#input.end ? 'length' : undefined
  }

  #nextBlock(): void {
    this.#tail = this.#block
    this.#blockStart += this.#block.length
    this.#blockIndex += 1
    this.#block = this.#maskedBlock()
  }

  #maskedBlock(): number[] {
    return Array.from({ length: this.#options.blockLength }, () => this.#input.maskTokenId)
  }
}
