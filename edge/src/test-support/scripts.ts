import type { Job, JobEvent, TokenLogprobs, Usage } from '@setblock/shared'
import { loadTiny } from './tiny-model.ts'
import type { JobAnswer } from './fake-worker.ts'

const { tokenizer } = await loadTiny()

export function startOf(job: Job): JobEvent {
  return { type: 'start', promptTokens: job.tokenIds.length, cachedTokens: 0, queueMs: 1 }
}

export function usageOf(job: Job, completionTokens: number, decode: number): Usage {
  return {
    promptTokens: job.tokenIds.length,
    cachedTokens: 0,
    completionTokens,
    forwardPasses: { prefill: 1, decode },
    tokensPerForward: completionTokens / decode,
    queueMs: 1,
    prefillMs: 2,
    decodeMs: 3,
    effectiveGamma: null,
  }
}

/** The usage that a client sees of a job written by `write`. */
export function clientUsageOf(promptTokens: number, completionTokens: number) {
  const decode = Math.ceil(completionTokens / 2)
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
    forward_passes: 1 + decode,
    forward_passes_details: { prefill: 1, decode },
    tokens_per_forward: completionTokens / decode,
    effective_gamma: null,
    queue_ms: 1,
    prefill_ms: 2,
    decode_ms: 3,
  }
}

/** Of the tiny model, whose manifest has a digest of zeros. */
export const FINGERPRINT = 'fp_000000000000'

/** Made-up log probabilities that tell tokens apart: -id / 1000, and the next ids as the others. */
export function logprobsOf(id: number, count: number): TokenLogprobs {
  const top = Array.from({ length: count }, (_, index) => ({
    tokenId: id + index,
    logprob: -(id + index) / 1000,
  }))
  return { logprob: -id / 1000, top }
}

/** Reveals of a text, two tokens a step, the later one of the two first. */
export function revealsOf(job: Job, text: string): JobEvent[] {
  const ids = tokenizer.encodeText(text)
  const events: JobEvent[] = []
  for (let index = 0; index < ids.length; index += 2) {
    const pair = ids.slice(index, index + 2).map((id, offset) => ({
      position: job.tokenIds.length + index + offset,
      id,
    }))
    const tokenIds = pair.map(({ id }) => id).reverse()
    const { logprobs, entropies } = job
    events.push({
      type: 'reveal',
      block: Math.floor(index / job.decoding.blockLength),
      step: index / 2,
      positions: pair.map(({ position }) => position).reverse(),
      tokenIds,
      ...(entropies === true ? { entropies: tokenIds.map((id) => id / 1000) } : {}),
      ...(logprobs === undefined
        ? {}
        : { logprobs: tokenIds.map((id) => logprobsOf(id, logprobs)) }),
    })
  }
  return events
}

/** A script that writes `text` and ends. */
export function write(text: string, finishReason: 'stop' | 'length' = 'stop') {
  return (job: Job, answer: JobAnswer): void => {
    const reveals = revealsOf(job, text)
    const tokens = tokenizer.encodeText(text).length
    const usage = usageOf(job, tokens, reveals.length)
    answer.send(startOf(job), ...reveals, { type: 'end', finishReason, usage })
  }
}

/** A script that writes `text` and then waits for the edge to leave. */
export function writeAndWait(text: string, onLeft: () => void) {
  return async (job: Job, answer: JobAnswer): Promise<void> => {
    answer.send(startOf(job), ...revealsOf(job, text))
    await answer.left
    onLeft()
  }
}
