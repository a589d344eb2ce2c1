import { topFor, type Decoder, type DecoderInput, type Outcome, type RowDemand } from './decoder.ts'
import { leastReveals } from './pace.ts'
import { entropiesFor, reportOn } from './report.ts'
import { chooseReveals, type SetRule } from './reveal.ts'
import type { ForwardRows, RowResults } from './rows.ts'
import { pick, type Pick } from './sampler.ts'

export interface SetBlockOptions {
  readonly rule: SetRule
  /** Nats. */
  readonly gamma: number
  readonly blockLength: number
}

/** The token that would be revealed at a masked index of the block, and the result row it comes from. */
interface BlockPick extends Pick {
  readonly index: number
  readonly row: number
}

/**
 * Mode `sbd`: Set Block Decoding (arXiv 2509.04185, section 4) with an exact K/V cache.
 *
 * A block starts as k masks. Its first forward also carries the tokens of the block before, causally: they become
 * cached, and the causal logits of the last of them give the block's first token. Each forward then reveals the
 * positions that the rule allows, and more where the rest of a latency budget requires it. A stop token that has no mask
 * left of it ends the text; positions right of a stop token, and those past the end of the job, are never revealed.
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
  /** Tokens that the rule alone would have revealed in all steps. */
  #byRule = 0

  constructor(input: DecoderInput, options: SetBlockOptions) {
    this.#input = input
    this.#options = options
    this.#tail = input.pending
    this.#blockStart = input.start
    this.#block = this.#maskedBlock()
  }

  demand(): RowDemand {
    const rows = this.#tail.length + this.#block.length
    return { least: rows, wanted: rows }
  }

  plan(): ForwardRows {
    const isGreedy = this.#input.sampling.temperature === 0
    return {
      tail: this.#tail,
      groups: [{ tokens: [...this.#block], afterTail: this.#tail.length }],
      readTail: this.#tail.length > 0 ? 1 : 0,
      entropies: entropiesFor(this.#input.report, isGreedy ? 'all' : 'none'),
      top: topFor(this.#input, 'all'),
    }
  }

  settle(results: RowResults, forwardsLeft?: number): Outcome {
    const seeded = this.#tail.length > 0
    const commit = this.#tail.length
    const { chosen, gamma } = this.#choose(results, forwardsLeft)
    for (const { index, tokenId } of chosen) this.#block[index] = tokenId
    const reveal = {
      block: this.#blockIndex,
      step: this.#step,
      positions: chosen.map(({ index }) => this.#blockStart + index),
      tokenIds: chosen.map(({ tokenId }) => tokenId),
      ...reportOn(this.#input.report, results, chosen),
    }
    // A seed comes from a tail row, which counts as committed already.
    const usedRows = commit + chosen.length - (seeded ? 1 : 0)
    this.#step += 1
    this.#tail = []
    const outcome = { commit, reveal, usedRows, gamma }
    const finish = this.#finish()
    if (finish !== undefined) return { ...outcome, finish }
    if (this.#openIndices().length === 0) this.#nextBlock()
    return outcome
  }

  /** What these results reveal, in order of position, and the entropy bound that allowed it. */
  #choose(results: RowResults, forwardsLeft?: number): { chosen: BlockPick[]; gamma: number } {
    const seeded = this.#tail.length > 0
    const picks = this.#openIndices().map((index) => {
      const row = seeded && index > 0 ? index + 1 : index // row 0 is the causal one
      const token = pick(results, row, this.#blockStart + index, this.#input.sampling)
      return { index, row, ...token }
    })
    const seed = seeded ? picks[0] : undefined
    const { indices, gamma, byRule } = chooseReveals({
      rule: this.#options.rule,
      gamma: this.#options.gamma,
      candidates: seed === undefined ? picks : picks.slice(1),
      ...(seed !== undefined && { seedEntropy: seed.entropy }),
      atLeast: this.#leastReveals(picks.length, forwardsLeft) - (seed === undefined ? 0 : 1),
    })
    this.#byRule += byRule + (seed === undefined ? 0 : 1)
    const revealed = new Set(indices)
    const chosen = picks.filter((token) => token === seed || revealed.has(token.index))
    return { chosen: this.#untilStop(chosen), gamma }
  }

  #leastReveals(open: number, forwardsLeft: number | undefined): number {
    if (forwardsLeft === undefined) return 0
    const behind = this.#input.end - this.#blockStart - this.#block.length
    const byRule = this.#step === 0 ? 0 : this.#byRule / this.#step
    return leastReveals({ tokensLeft: open + Math.max(0, behind), open, forwardsLeft, byRule })
  }

  /** Leaves out what lies right of a stop token revealed in the same step. */
  #untilStop(chosen: BlockPick[]): BlockPick[] {
    const stop = chosen.findIndex(({ tokenId }) => this.#input.stopTokenIds.has(tokenId))
    return stop === -1 ? chosen : chosen.slice(0, stop + 1)
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
