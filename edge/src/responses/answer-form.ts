import type { ApiError } from '@setblock/shared'
import type { Answer } from '../generation/generation.ts'
import type { TextEvent, TextUsage } from '../text/text-events.ts'

/** How one API words an answer: payloads for a stream, or one body. */
export interface AnswerForm {
  /** Sent before anything is known of the job. */
  opening(): unknown[]
  /** What one event becomes. */
  payloads(event: TextEvent): unknown[]
  /** Closes a stream that failed. */
  failure(error: ApiError): unknown
  /** Raw SSE text that closes a stream that did not. */
  readonly closing: string
  whole(answer: Answer): unknown
}

/** The same in every payload of one answer. */
export interface AnswerIdentity {
  id: string
  /** Unix seconds. */
  created: number
  model: string
}

/**
 * The `usage` of OpenAI's API and what else a forward pass is worth knowing for. `forward_passes`
 * is the total of its details, of which `prefill` may be unknown (see TextUsage).
 */
export function toUsage(usage: TextUsage) {
  const { prefill, decode } = usage.forwardPasses
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedTokens },
    forward_passes: (prefill ?? 0) + decode,
    forward_passes_details: { prefill, decode },
    tokens_per_forward: usage.tokensPerForward,
  }
}
