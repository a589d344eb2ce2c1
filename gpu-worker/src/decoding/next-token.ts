import { topFor, type Decoder, type DecoderInput, type Outcome, type RowDemand } from './decoder.ts'
import { reportOn, wantsRaw } from './report.ts'
import type { ForwardRows, RowResults } from './rows.ts'
import { pick } from './sampler.ts'

/** Mode `ntp`: one token a forward, from the causal logits. The baseline of the other modes. */
export class NextTokenDecoder implements Decoder {
  readonly #input: DecoderInput
  #pending: readonly number[]
  #position: number

  constructor(input: DecoderInput) {
    this.#input = input
    this.#pending = input.pending
    this.#position = input.start
  }

  demand(): RowDemand {
    return { least: this.#pending.length, wanted: this.#pending.length }
  }

  plan(): ForwardRows {
    return {
      tail: this.#pending,
      groups: [],
      readTail: 1,
      entropies: wantsRaw(this.#input.report),
      top: topFor(this.#input, 'tail'),
    }
  }

  settle(results: RowResults): Outcome {
    const { sampling, stopTokenIds, start, end, report } = this.#input
    const position = this.#position
    const { tokenId } = pick(results, 0, position, sampling)
    const commit = this.#pending.length
    this.#pending = [tokenId]
    this.#position += 1
    const step = position - start
    const reported = reportOn(report, results, [{ row: 0, tokenId }])
    const reveal = { block: step, step, positions: [position], tokenIds: [tokenId], ...reported }
    const outcome = { commit, reveal, usedRows: commit }
    if (stopTokenIds.has(tokenId)) return { ...outcome, finish: 'stop' }
    return position + 1 === end ? { ...outcome, finish: 'length' } : outcome
  }
}
