import type { Job } from '@setblock/shared'
import type { Decoder, DecoderInput, Outcome, RowDemand, RowGrant } from './decoder.ts'
import type { GrammarPlace } from './grammar-place.ts'
import { GuidedSetBlockDecoder } from './guided-set-block.ts'
import { NextTokenDecoder } from './next-token.ts'
import type { ForwardRows, RowResults } from './rows.ts'
import { PrefixDecoder } from './prefix.ts'
import { SetBlockDecoder } from './set-block.ts'
import { VerifiedDecoder } from './verified.ts'

export type Phase = 'prefill' | 'decode'

export interface JobDemand extends RowDemand {
  readonly phase: Phase
}

/** A job from its first prompt token on: prompt chunks as large as granted, then the rows of its mode. */
export class JobDecoder {
  readonly #job: Job
  readonly #maskTokenId: number
  readonly #grammar: GrammarPlace | undefined
  /** Prompt tokens that are cached. */
  #prefilled: number
  /** Prompt tokens in the forward that was planned last; 0 from the first decode forward on. */
  #chunk = 0
  #decoder: Decoder | undefined

  /**
   * The first `cachedTokens` of the prompt have their keys and values already; fewer than all have. `grammar` is the
   * start of the one that the text must follow.
   */
  constructor(job: Job, maskTokenId: number, cachedTokens = 0, grammar?: GrammarPlace) {
    this.#job = job
    this.#maskTokenId = maskTokenId
    this.#grammar = grammar
    this.#prefilled = cachedTokens
  }

  /** Of the forward that was planned last. The last prompt chunk rides in the first decode forward. */
  get phase(): Phase {
    return this.#decoder === undefined ? 'prefill' : 'decode'
  }

  demand(rowPrice: number): JobDemand {
    if (this.#decoder !== undefined) return { phase: 'decode', ...this.#decoder.demand(rowPrice) }
    return { phase: 'prefill', least: 1, wanted: this.#job.tokenIds.length - this.#prefilled }
  }

  plan(grant: RowGrant): ForwardRows {
    if (this.#decoder !== undefined) return this.#decoder.plan(grant)
    const { tokenIds } = this.#job
    this.#chunk = Math.min(grant.rowsMax, tokenIds.length - this.#prefilled)
    const tail = tokenIds.slice(this.#prefilled, this.#prefilled + this.#chunk)
    if (this.#prefilled + this.#chunk < tokenIds.length) {
      return { tail, groups: [], readTail: 0, entropies: 'none', top: 'none' }
    }
    // The grant was for prompt rows: what the first block adds to them is a block's length or two.
    this.#decoder = createDecoder(this.#job, {
      pending: tail,
      maskTokenId: this.#maskTokenId,
      grammar: this.#grammar,
    })
    return this.#decoder.plan({ ...grant, rowsMax: Number.POSITIVE_INFINITY })
  }

  settle(results: RowResults, forwardsLeft?: number): Outcome {
    if (this.#decoder !== undefined) return this.#decoder.settle(results, forwardsLeft)
    this.#prefilled += this.#chunk
    return { commit: this.#chunk, usedRows: this.#chunk }
  }
}

function createDecoder(
  job: Job,
  known: Pick<DecoderInput, 'pending' | 'maskTokenId' | 'grammar'>,
): Decoder {
  const { mode, rule, gamma, blockLength } = job.decoding
  const input: DecoderInput = {
    ...known,
    start: job.tokenIds.length,
    end: job.tokenIds.length + job.maxTokens,
    stopTokenIds: new Set(job.stopTokenIds),
    sampling: job.sampling,
    report: { entropies: job.entropies ?? false, logprobs: job.logprobs },
  }
  switch (mode) {
    case 'ntp':
      return new NextTokenDecoder(input)
    case 'sbd':
      if (rule === 'prefix') return new PrefixDecoder(input, { gamma, blockLength })
      return input.grammar === undefined
        ? new SetBlockDecoder(input, { rule, gamma, blockLength })
        : new GuidedSetBlockDecoder(input, { rule, gamma, blockLength })
    case 'verified':
      return new VerifiedDecoder(input, { blockLength })
  }
}
