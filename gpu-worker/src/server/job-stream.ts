import {
  ApiError,
  encodeEvent,
  HEARTBEAT_LINE,
  limits,
  type EndEvent,
  type ErrorEvent,
  type JobEvent,
} from '@setblock/shared'
import type { EngineClient } from '../engine-thread/engine-client.ts'
import { CACHE_BLOCK_TOKENS } from '../sessions/block-keys.ts'
import type { PreparedJob } from '../sessions/session-jobs.ts'
import type { JobWatch } from './job-watch.ts'

export interface JobStreamOptions {
  readonly engine: EngineClient
  readonly prepared: PreparedJob
  /** Aborts when the client leaves. */
  readonly signal: AbortSignal
  readonly watch: JobWatch
  /** Told once, when the job has left the engine and its turn is settled, whether the client is still there or not. */
  readonly onOver: (last: EndEvent | ErrorEvent) => void
}

/**
 * Submits the job and gives its events as NDJSON. A client that leaves, or a reader that cancels, cancels the job
 * before its next forward, unless its session wants the turn finished. A turn is durable before its `end` is sent.
 * What is buffered is bounded by the job: at most one event a token.
 * @throws ApiError when the engine refuses the job; nothing has been sent then.
 */
export function jobStream({
  engine,
  prepared,
  signal,
  watch,
  onOver,
}: JobStreamOptions): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let controller!: ReadableStreamDefaultController<Uint8Array>
  let open = true

  const finish = (): void => {
    open = false
    clearInterval(heartbeat)
    signal.removeEventListener('abort', leave)
  }
  const leave = (): void => {
    if (!open) return
    watch.left()
    if (!prepared.outlivesClient) engine.cancel(prepared.job.id)
    finish()
  }
  const deliver = (event: JobEvent): void => {
    if (open) controller.enqueue(encoder.encode(encodeEvent(event)))
  }
  const end = async (last: EndEvent | ErrorEvent): Promise<void> => {
    const event = await settle(prepared, last, open)
    deliver(event)
    if (open) controller.close()
    finish()
    onOver(event)
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
    const onEvent = (event: JobEvent): void => {
      prepared.observe(event)
      watch.observe(event)
      if (event.type === 'end' || event.type === 'error') void end(event)
      else deliver(event)
    }
    engine.submit(prepared.job, onEvent, {
      blockTokens: CACHE_BLOCK_TOKENS,
      prefix: prepared.prefix,
      onKept: (blocks) => prepared.keep(blocks),
    })
    // Flushes the headers: whoever waits behind other jobs learns at once that it was admitted.
    controller.enqueue(encoder.encode(HEARTBEAT_LINE))
  } catch (error) {
    clearInterval(heartbeat)
    void prepared.abandon('failed')
    throw error
  }
  if (signal.aborted) leave()
  else signal.addEventListener('abort', leave, { once: true })
  return stream
}

/** Ends the job's turn; what could not be made durable is an error, whatever the engine said. */
async function settle(
  prepared: PreparedJob,
  last: EndEvent | ErrorEvent,
  clientThere: boolean,
): Promise<EndEvent | ErrorEvent> {
  try {
    if (last.type === 'end') return await prepared.finish(last)
    await prepared.abandon(clientThere ? 'failed' : 'client-gone')
    return last
  } catch (error) {
    const { code, message, retryable } = ApiError.from(error)
    return { type: 'error', code, message, retryable }
  }
}
