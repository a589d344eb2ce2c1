import { EventSourceParserStream } from 'eventsource-parser/stream'
import { parseEvent } from '../state/events.ts'
import type { TimedEvent } from '../state/events.ts'
import { CUT_STREAM } from '../state/failure.ts'
import type { Failure } from '../state/failure.ts'
import type { GenerateBody } from '../state/settings.ts'
import { request, RequestFailed } from './request-failed.ts'

export interface GenerateOptions {
  key: string
  body: GenerateBody
  signal: AbortSignal
  /** Gets events as they come, at most once for every picture the screen shows. */
  onEvents(this: void, events: readonly TimedEvent[]): void
}

/** How a stream came to its end: by itself, by the person, or by a failure. */
export type GenerateEnd =
  | { how: 'ended' }
  | { how: 'stopped' }
  | { how: 'failed'; failure: Failure }

/** Runs one generation to its end. Never rejects. */
export async function generate(options: GenerateOptions): Promise<GenerateEnd> {
  const batch = batchPerFrame(options.onEvents)
  try {
    for await (const event of readEvents(options)) batch.push(event)
    return { how: 'ended' }
  } catch (error) {
    if (options.signal.aborted) return { how: 'stopped' }
    const failure = error instanceof RequestFailed ? error.failure : CUT_STREAM
    return { how: 'failed', failure }
  } finally {
    batch.flush()
  }
}

async function* readEvents({ key, body, signal }: GenerateOptions): AsyncGenerator<TimedEvent> {
  const sentAt = performance.now()
  const response = await request('/v1/generate', {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  })
  if (response.body === null) return
  const reader = response.body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream())
    .getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const event = parseEvent(value.data)
    if (event !== undefined) yield { atMs: performance.now() - sentAt, event }
  }
}

function batchPerFrame(deliver: (events: readonly TimedEvent[]) => void) {
  let waiting: TimedEvent[] = []
  let frame = 0
  function flush(): void {
    cancelAnimationFrame(frame)
    frame = 0
    if (waiting.length === 0) return
    const events = waiting
    waiting = []
    deliver(events)
  }
  return {
    push(event: TimedEvent): void {
      waiting.push(event)
      if (frame === 0) frame = requestAnimationFrame(flush)
    },
    // At the end, and also where no frames come because the page is hidden.
    flush,
  }
}
