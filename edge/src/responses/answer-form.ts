import type { ApiError, Job } from '@setblock/shared'
import type { Answer, AnswerEvent } from '../generation/generation.ts'
import type { EdgeModel } from '../models/model-source.ts'
import type { SessionVersion, TextUsage } from '../text/text-events.ts'

/** How one API words an answer: payloads for a stream, or one body. */
export interface AnswerForm {
  /** Sent before anything is known of the jobs. */
  opening(): unknown[]
  /** What one event becomes. */
  payloads(event: AnswerEvent): unknown[]
  /** Closes a stream that failed. */
  failure(error: ApiError): unknown
  /** Raw SSE text that closes a stream that did not. */
  readonly closing: string
  whole(answer: Answer): unknown
}

/** What forms are made of. */
export interface FormOptions {
  id: string
  /** Unix seconds. */
  created: number
  model: EdgeModel
  /** One for each choice; they differ in id and seed alone. */
  jobs: readonly Job[]
  /** Whether a stream ends with the usage. */
  includeUsage: boolean
  /** Whether a whole answer holds its reveals. */
  reveals: boolean
}

/** Changes when the weights do, so that a seed replays as long as this stays. */
export function fingerprint({ manifest }: EdgeModel): string {
  return `fp_${manifest.weights.sha256.slice(0, 12)}`
}

/** What a turn has made of its session; nothing where there is none. */
export function sessionOf({ session }: { session?: SessionVersion | undefined }) {
  return session === undefined ? {} : { session }
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
    // Neither reasoning nor OpenAI's predicted outputs exist here.
    completion_tokens_details: {
      reasoning_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
    forward_passes: (prefill ?? 0) + decode,
    forward_passes_details: { prefill, decode },
    tokens_per_forward: usage.tokensPerForward,
    effective_gamma: usage.effectiveGamma,
    queue_ms: usage.queueMs,
    prefill_ms: usage.prefillMs,
    decode_ms: usage.decodeMs,
    ...(usage.rows === undefined ? {} : { rows: usage.rows }),
    ...(usage.drafts === undefined ? {} : { drafts: usage.drafts }),
  }
}
