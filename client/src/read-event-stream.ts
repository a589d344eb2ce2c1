import { clientError } from './errors.ts'
import { EventStreamParser, type ServerSentEvent } from './event-stream-parser.ts'

/**
 * The events of a response. The server sends at least a comment every few seconds, so silence means that the connection
 * is gone though nobody said so.
 *
 * @throws SetblockError connection_lost when it breaks off or stays silent; invalid_answer for what is no event stream.
 */
export async function* readEventStream(
  response: Response,
  idleTimeoutMs: number,
): AsyncGenerator<ServerSentEvent> {
  const type = response.headers.get('content-type') ?? 'nothing'
  if (response.body === null || !type.startsWith('text/event-stream')) {
    await response.body?.cancel().catch(() => undefined)
    throw clientError('invalid_answer', `the server answered with ${type}, not an event stream`)
  }
  const parser = new EventStreamParser()
  // Not `for await`: not every browser can iterate a stream.
  const reader = response.body.getReader()
  try {
    for (;;) {
      const { done, value } = await within(idleTimeoutMs, reader.read())
      if (done) return
      yield* parse(parser, value)
    }
  } finally {
    reader.cancel().catch(() => undefined)
  }
}

function parse(parser: EventStreamParser, chunk: Uint8Array): ServerSentEvent[] {
  try {
    return parser.push(chunk)
  } catch (cause) {
    throw clientError('invalid_answer', 'the server sent an event without end', { cause })
  }
}

async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(connectionLost(`nothing came for ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    return await Promise.race([work, silence])
  } catch (error) {
    throw isLost(error) ? error : connectionLost('the connection broke off', error)
  } finally {
    clearTimeout(timer)
  }
}

function isLost(error: unknown): boolean {
  return (error as { code?: unknown } | undefined)?.code === 'connection_lost'
}

/** Retryable in the sense that the same request may be made again; what was received may come again then. */
export function connectionLost(message: string, cause?: unknown) {
  return clientError('connection_lost', message, { retryable: true, cause })
}
