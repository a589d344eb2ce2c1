import type { FinishReason, Job } from '@setblock/shared'
import type { TextEvent, TextUsage } from '../text/text-events.ts'
import type { TextReducer } from '../text/text-reducer.ts'
import { follow } from '../stream/abortable.ts'
import type { WorkerClient } from '../workers/worker-client.ts'

/** One job on its way through a worker. */
export interface Generation {
  /** Settles with the worker's verdict: accepted, or refused with an ApiError. */
  readonly accepted: Promise<unknown>
  /** The text as it comes; to be read once. Rejects with an ApiError or the signal's reason. */
  readonly events: AsyncIterable<TextEvent>
}

export function startGeneration(options: {
  workers: WorkerClient
  job: Job
  tenant: string
  reducer: TextReducer
  /** The request's: when it aborts, so does the job. */
  signal: AbortSignal
}): Generation {
  const { workers, job, tenant, reducer, signal } = options
  const upstream = new AbortController()
  follow(signal, upstream)
  const accepted = workers.open(job, { tenant, signal: upstream.signal })
  accepted.catch(() => undefined)

  async function* read(): AsyncGenerator<TextEvent> {
    try {
      for await (const event of await accepted) {
        const texts = reducer.push(event)
        // A stop string ends the job here, so the worker is told before the client is.
        if (reducer.ended) upstream.abort()
        yield* texts
        if (reducer.ended) return
      }
    } finally {
      upstream.abort()
    }
  }
  return { accepted, events: read() }
}

/** A whole answer, for clients that want no stream. */
export interface Answer {
  text: string
  finishReason: FinishReason
  usage: TextUsage
  /** In the order they came; empty unless reveals were asked for. */
  reveals: Extract<TextEvent, { type: 'reveal' }>[]
}

export async function collectAnswer(events: AsyncIterable<TextEvent>): Promise<Answer> {
  const reveals: Answer['reveals'] = []
  let text = ''
  for await (const event of events) {
    switch (event.type) {
      case 'start':
        break
      case 'reveal':
        reveals.push(event)
        break
      case 'text':
        text += event.delta
        break
      case 'end':
        return { text, reveals, finishReason: event.finishReason, usage: event.usage }
    }
  }
  throw new Error('a generation without an end')
}
