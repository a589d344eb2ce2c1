import type { Job } from '@setblock/shared'
import type { Decoder, DecoderInput, Outcome } from './decoder.ts'
import { NextTokenDecoder } from './next-token.ts'
import type { ForwardRows, RowResults } from './rows.ts'
import { SetBlockDecoder } from './set-block.ts'
import { VerifiedDecoder } from './verified.ts'

/** Most prompt tokens that one forward commits: bounds the gap a long prompt makes between steps. */
export const PREFILL_ROWS_MAX = 256

export type Phase = 'prefill' | 'decode'

/** A job from its first prompt token on: prompt chunks first, then the rows of its mode. */
export class JobDecoder {
  readonly #decoder: Decoder
  readonly #chunks: number[][]

  /** The first `cachedTokens` of the prompt have their keys and values already; fewer than all have. */
  constructor(job: Job, maskTokenId: number, cachedTokens = 0) {
    const chunks = chunked(job.tokenIds.slice(cachedTokens), PREFILL_ROWS_MAX)
    const pending = chunks.pop() ?? []
    this.#chunks = chunks
    this.#decoder = createDecoder(job, {
      pending,
      start: job.tokenIds.length,
      end: job.tokenIds.length + job.maxTokens,
      stopTokenIds: new Set(job.stopTokenIds),
      sampling: job.sampling,
      maskTokenId,
      report: { entropies: job.entropies ?? false, logprobs: job.logprobs },
    })
  }

  /** The phase of the next forward. The last prompt chunk rides in the first decode forward. */
  get phase(): Phase {
    return this.#chunks.length > 0 ? 'prefill' : 'decode'
  }

  plan(): ForwardRows {
    const chunk = this.#chunks[0]
    if (chunk === undefined) return this.#decoder.plan()
    return { tail: chunk, groups: [], readTail: 0, entropies: false, top: 'none' }
  }

  settle(results: RowResults, forwardsLeft?: number): Outcome {
    const chunk = this.#chunks.shift()
    return chunk === undefined
      ? this.#decoder.settle(results, forwardsLeft)
      : { commit: chunk.length, usedRows: chunk.length }
  }
}

function createDecoder(job: Job, input: DecoderInput): Decoder {
  const { mode, rule, gamma, blockLength } = job.decoding
  switch (mode) {
    case 'ntp':
      return new NextTokenDecoder(input)
    case 'sbd':
      return new SetBlockDecoder(input, { rule, gamma, blockLength })
    case 'verified':
      return new VerifiedDecoder(input, { blockLength })
  }
}

function chunked(tokens: readonly number[], size: number): number[][] {
  const chunks: number[][] = []
  for (let start = 0; start < tokens.length; start += size) {
    chunks.push(tokens.slice(start, start + size))
  }
  return chunks
}
