import { topFor, type Decoder, type DecoderInput, type Outcome, type RowDemand } from './decoder.ts'
import { entropiesFor, reportOn } from './report.ts'
import type { ForwardRows, RowResults } from './rows.ts'
import { TextCursor } from './text-cursor.ts'

/** Mode `ntp`: one token a forward, from the causal logits. The baseline of the other modes. */
export class NextTokenDecoder implements Decoder {
  readonly #input: DecoderInput
  #pending: readonly number[]
  readonly #cursor: TextCursor
  #step = 0

  constructor(input: DecoderInput) {
    this.#input = input
    this.#pending = input.pending
    this.#cursor = new TextCursor(input)
  }

  demand(): RowDemand {
    return { least: this.#pending.length, wanted: this.#pending.length }
  }

  plan(): ForwardRows {
    return {
      tail: this.#pending,
      groups: [],
      readTail: 1,
      entropies: entropiesFor(this.#input.report, 'none'),
      top: topFor(this.#input, 'tail'),
    }
  }

  settle(results: RowResults): Outcome {
    const { position } = this.#cursor
    const { tokenId } = this.#cursor.choose(results, 0, false)
    const stopped = this.#cursor.take(tokenId)
    const forced = stopped === undefined ? this.#cursor.takeForced() : { tokenIds: [] }
    const tokenIds = [tokenId, ...forced.tokenIds]
    const commit = this.#pending.length
    this.#pending = tokenIds
    const reveal = {
      block: this.#step,
      step: this.#step,
      positions: tokenIds.map((_, index) => position + index),
      tokenIds,
      ...reportOn(
        this.#input.report,
        results,
        tokenIds.map((id, index) => ({ row: index === 0 ? 0 : undefined, tokenId: id })),
      ),
    }
    this.#step += 1
    const finish = stopped ?? forced.finish
    const outcome = { commit, reveal, usedRows: commit }
    return finish === undefined ? outcome : { ...outcome, finish }
  }
}
