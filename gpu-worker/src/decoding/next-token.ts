import { topFor, type Decoder, type DecoderInput, type Outcome } from './decoder.ts'
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

  plan(): ForwardRows {
    const top = topFor(this.#input.sampling, 'tail')
    return { tail: this.#pending, groups: [], readTail: 1, entropies: false, top }
  }

  settle(results: RowResults): Outcome {
    const { sampling, stopTokenIds, start, end } = this.#input
    const position = this.#position
    const { tokenId } = pick(results, 0, position, sampling)
    const commit = this.#pending.length
    this.#pending = [tokenId]
    this.#position += 1
    const step = position - start
    const reveal = { block: step, step, positions: [position], tokenIds: [tokenId] }
    if (stopTokenIds.has(tokenId)) return { commit, reveal, finish: 'stop' }
    return position + 1 === end ? { commit, reveal, finish: 'length' } : { commit, reveal }
  }
}
