import type { Job, JobEvent, Usage } from '@setblock/shared'
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

/** Reveals of a text, two tokens a step, the later one of the two first. */
export function revealsOf(job: Job, text: string): JobEvent[] {
  const ids = tokenizer.encodeText(text)
  const events: JobEvent[] = []
  for (let index = 0; index < ids.length; index += 2) {
    const pair = ids.slice(index, index + 2).map((id, offset) => ({
      position: job.tokenIds.length + index + offset,
      id,
    }))
    events.push({
      type: 'reveal',
      block: Math.floor(index / job.decoding.blockLength),
      step: index / 2,
      positions: pair.map(({ position }) => position).reverse(),
      tokenIds: pair.map(({ id }) => id).reverse(),
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
