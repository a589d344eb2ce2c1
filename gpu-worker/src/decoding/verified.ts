import { topFor, type Decoder, type DecoderInput, type Outcome } from './decoder.ts'
import { reportOn, wantsRaw } from './report.ts'
import type { ForwardRows, MaskGroup, RowResults } from './rows.ts'
import { pick } from './sampler.ts'

export interface VerifiedOptions {
  /** Masks in each group; drafts are at most one token shorter. */
  readonly blockLength: number
}

/**
 * Mode `verified`: lossless self-speculation with the model's own masked predictions.
 *
 * Rows of a forward: `[pending, causal][draft, causal][A: k masks after pending][B: k masks after the draft]`. The causal
 * rows give the tokens plain decoding would produce; they are emitted while they agree with the draft, plus one. If the
 * whole draft agreed, B drafts what follows; if it failed at i, A does, from i + 1 on. The text is token for token that
 * of `ntp` for any draft.
 *
 * Rows cost time, and A's pay only if the draft fails. Success comes in runs, so A rides along unless the draft before
 * succeeded as a whole; where that was wrong, one forward goes without a draft.
 */
export class VerifiedDecoder implements Decoder {
  readonly #input: DecoderInput
  readonly #masks: readonly number[]
  #pending: readonly number[]
  #draft: readonly number[] = []
  /** Whether the draft before this one was accepted as a whole. */
  #streak = false
  #position: number
  #step = 0

  constructor(input: DecoderInput, options: VerifiedOptions) {
    this.#input = input
    this.#masks = Array.from({ length: options.blockLength }, () => input.maskTokenId)
    this.#pending = input.pending
    this.#position = input.start
  }

  plan(): ForwardRows {
    const tail = [...this.#pending, ...this.#draft]
    return {
      tail,
      groups: this.#groups(),
      readTail: 1 + this.#draft.length,
      entropies: wantsRaw(this.#input.report),
      top: topFor(this.#input, 'tail'),
    }
  }

  /** Without a draft A and B would be the same rows. Nothing is drafted for beyond the last position. */
  #groups(): MaskGroup[] {
    const [pending, draft] = [this.#pending.length, this.#draft.length]
    if (this.#position + 1 >= this.#input.end) return []
    const b = { tokens: this.#masks, afterTail: pending + draft }
    return this.#hasGroupA() ? [{ tokens: this.#masks, afterTail: pending }, b] : [b]
  }

  #hasGroupA(): boolean {
    return this.#draft.length > 0 && !this.#streak
  }

  settle(results: RowResults): Outcome {
    const grouped = this.#groups().length > 0
    const { emitted, finish } = this.#verify(results)
    const accepted = emitted.length - 1
    const commit = this.#pending.length + accepted
    const start = this.#position
    const reveal = {
      block: this.#step,
      step: this.#step,
      positions: emitted.map((_, index) => start + index),
      tokenIds: emitted,
      ...reportOn(
        this.#input.report,
        results,
        emitted.map((tokenId, row) => ({ row, tokenId })),
      ),
    }
    this.#step += 1
    this.#position += emitted.length
    const checked = { length: this.#draft.length, accepted }
    if (finish !== undefined) return { commit, reveal, finish, usedRows: commit, draft: checked }
    const draft = grouped ? this.#nextDraft(results, accepted) : []
    this.#streak = this.#draft.length > 0 && accepted === this.#draft.length
    this.#pending = emitted.slice(-1)
    this.#draft = this.#trim(draft)
    return { commit, reveal, usedRows: commit + this.#draft.length, draft: checked }
  }

  /** The causal model's own tokens, while they match the draft, and the one after. */
  #verify(results: RowResults): { emitted: number[]; finish?: 'stop' | 'length' } {
    const { sampling, stopTokenIds, end } = this.#input
    const emitted: number[] = []
    for (let row = 0; row <= this.#draft.length; row += 1) {
      const position = this.#position + row
      const { tokenId } = pick(results, row, position, sampling)
      emitted.push(tokenId)
      if (stopTokenIds.has(tokenId)) return { emitted, finish: 'stop' }
      if (position + 1 === end) return { emitted, finish: 'length' }
      if (tokenId !== this.#draft[row]) break
    }
    return { emitted }
  }

  /** Masked predictions for the positions after the tokens just emitted: from B if the draft held, else from A. */
  #nextDraft(results: RowResults, accepted: number): number[] {
    const whole = accepted === this.#draft.length
    if (!whole && !this.#hasGroupA()) return []
    const length = this.#masks.length
    const groupA = 1 + this.#draft.length
    const group = whole && this.#hasGroupA() ? groupA + length : groupA
    // Of B the first position is the token emitted last, of A the accepted ones come before it.
    const known = whole ? 1 : accepted + 1
    return Array.from(results.ids.subarray(group + known, group + length))
  }

  /** A draft ends at a stop token and before the end of the job. */
  #trim(draft: readonly number[]): readonly number[] {
    const stop = draft.findIndex((tokenId) => this.#input.stopTokenIds.has(tokenId))
    const room = this.#input.end - this.#position - 1
    return draft.slice(0, Math.min(stop === -1 ? draft.length : stop + 1, Math.max(room, 0)))
  }
}
