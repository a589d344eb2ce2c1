import { abortable, asError, OVER } from './abortable.ts'
import { SSE_KEEP_ALIVE } from './sse.ts'

/** How a stream came to its end. */
export type RelayEnd = 'done' | 'client-gone' | 'stalled' | 'failed'

export interface RelayOutcome {
  how: RelayEnd
  /** Bytes the client's connection has taken, comments included. */
  bytes: number
  /** What went wrong, unless `how` is `done`. */
  error?: Error
}

export interface RelayOptions {
  /** Complete SSE frames; must end when `controller` aborts. */
  frames: AsyncIterable<string>
  /** The one switch of the whole request: aborted when the client leaves or stops reading. */
  controller: AbortController
  /** The frame that tells a client what went wrong after the headers. */
  errorFrame(error: Error): string
  /** Called once, when everything is over. */
  onEnd(outcome: RelayOutcome): void
  /** Keeps the platform from dropping the pump when the client leaves. */
  waitUntil(work: Promise<unknown>): void
  /** Milliseconds since some fixed moment. */
  now(this: void): number
  /** A comment goes out after this long without a frame. */
  heartbeatMs: number
  /** A client that takes no byte for this long is given up. */
  stallMs: number
}

/** The reason a request's controller aborts with when its client is lost. */
export class ClientLost extends Error {
  readonly how: 'client-gone' | 'stalled'
  constructor(how: 'client-gone' | 'stalled') {
    super(how === 'stalled' ? 'the client takes no data' : 'the client left')
    this.how = how
  }
}

/**
 * Moves frames to a client and notices when the client leaves, on Node and on workerd.
 *
 * The platforms differ in what they tell about a lost client: some abort the request's signal,
 * some only let the next write fail, some leave a write unsettled for ever. So every wait is tied
 * to one AbortController; heartbeats make sure that there is a next write; a watchdog bounds how
 * long one may take; and the pump is its own task, since a stream's `cancel` may never be called.
 */
export function relay(options: RelayOptions): ReadableStream<Uint8Array> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  const outlet = openOutlet(writable, options)
  options.waitUntil(
    pump(outlet, options).then((end) => options.onEnd({ ...end, bytes: outlet.bytes() })),
  )
  return readable
}

async function pump(outlet: Outlet, options: RelayOptions): Promise<Omit<RelayOutcome, 'bytes'>> {
  const { controller, frames } = options
  const iterator = frames[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await abortable(iterator.next(), controller.signal)
      if (next.done === true) break
      await outlet.write(next.value)
    }
    await outlet.close()
    return { how: 'done' }
  } catch (thrown) {
    const error = asError(thrown)
    if (!controller.signal.aborted) return await reportFailure(error, outlet, options)
    return abandon(error, outlet)
  } finally {
    outlet.dispose()
    // Abort first: a parked generator does not notice `return` before its own wait is over.
    controller.abort(OVER)
    void iterator.return?.().catch(() => undefined)
  }
}

/** Something behind the stream failed and the client is still there: say so in the stream. */
async function reportFailure(
  error: Error,
  outlet: Outlet,
  options: RelayOptions,
): Promise<Omit<RelayOutcome, 'bytes'>> {
  try {
    await outlet.write(options.errorFrame(error))
    await outlet.close()
    return { how: 'failed', error }
  } catch (lost) {
    return abandon(asError(lost), outlet)
  }
}

function abandon(error: Error, outlet: Outlet): Omit<RelayOutcome, 'bytes'> {
  outlet.abort(error)
  return { how: error instanceof ClientLost ? error.how : 'client-gone', error }
}

/** The writing side of the client's stream, with heartbeat and watchdog. */
interface Outlet {
  write(frame: string): Promise<void>
  close(): Promise<void>
  abort(reason: Error): void
  bytes(): number
  dispose(): void
}

function openOutlet(writable: WritableStream<Uint8Array>, options: RelayOptions): Outlet {
  const { controller, now, heartbeatMs, stallMs } = options
  const writer = writable.getWriter()
  const utf8 = new TextEncoder()
  let bytes = 0
  let unsettled = 0
  let lastSentAt = now()
  let lastTakenAt = now()

  writer.closed.catch(() => controller.abort(new ClientLost('client-gone')))

  async function settle(work: Promise<void>): Promise<void> {
    if (unsettled === 0) lastTakenAt = now()
    unsettled += 1
    await abortable(work, controller.signal)
    unsettled -= 1
    lastTakenAt = now()
  }

  async function write(frame: string): Promise<void> {
    const chunk = utf8.encode(frame)
    lastSentAt = now()
    await settle(writer.write(chunk))
    bytes += chunk.byteLength
  }

  function watch(): void {
    if (unsettled > 0) {
      if (now() - lastTakenAt >= stallMs) controller.abort(new ClientLost('stalled'))
    } else if (now() - lastSentAt >= heartbeatMs) {
      void beat()
    }
  }
  async function beat(): Promise<void> {
    try {
      await write(SSE_KEEP_ALIVE)
    } catch {
      controller.abort(new ClientLost('client-gone'))
    }
  }
  const timer = setInterval(watch, Math.max(10, Math.min(heartbeatMs, stallMs) / 4))

  return {
    write,
    close: () => settle(writer.close()),
    abort: (reason) => void writer.abort(reason).catch(() => undefined),
    bytes: () => bytes,
    dispose: () => clearInterval(timer),
  }
}
