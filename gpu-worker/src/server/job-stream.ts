import { encodeEvent, HEARTBEAT_LINE, limits, type Job, type JobEvent } from '@setblock/shared'
import type { EngineClient } from '../engine-thread/engine-client.ts'

export interface JobStreamOptions {
  readonly engine: EngineClient
  readonly job: Job
  /** Aborts when the client leaves. */
  readonly signal: AbortSignal
  readonly onEnd: (event: JobEvent | 'client-gone') => void
}

/**
 * Submits the job and gives its events as NDJSON. A client that leaves, or a reader that cancels, cancels the job
 * before its next forward. What is buffered is bounded by the job: at most one event a token.
 * @throws ApiError when the engine refuses the job; nothing has been sent then.
 */
export function jobStream({
  engine,
  job,
  signal,
  onEnd,
}: JobStreamOptions): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let controller!: ReadableStreamDefaultController<Uint8Array>
  let open = true

  const finish = (how: JobEvent | 'client-gone'): void => {
    if (!open) return
    open = false
    clearInterval(heartbeat)
    signal.removeEventListener('abort', leave)
    onEnd(how)
  }
  const leave = (): void => {
    engine.cancel(job.id)
    finish('client-gone')
  }
  const deliver = (event: JobEvent): void => {
    if (!open) return
    controller.enqueue(encoder.encode(encodeEvent(event)))
    if (event.type !== 'end' && event.type !== 'error') return
    finish(event)
    controller.close()
  }
  const heartbeat = setInterval(() => {
    controller.enqueue(encoder.encode(HEARTBEAT_LINE))
  }, limits.heartbeatMs)
  const stream = new ReadableStream<Uint8Array>({
    start: (created) => {
      controller = created
    },
    cancel: leave,
  })
  try {
    engine.submit(job, deliver)
    // Flushes the headers: whoever waits behind other jobs learns at once that it was admitted.
    controller.enqueue(encoder.encode(HEARTBEAT_LINE))
  } catch (error) {
    clearInterval(heartbeat)
    throw error
  }
  if (signal.aborted) leave()
  else signal.addEventListener('abort', leave, { once: true })
  return stream
}
