import { clientError, errorFromEnvelope, isEnvelope, SetblockError } from './errors.ts'
import { connectionLost, readEventStream } from './read-event-stream.ts'
import { retryDelayMs, sleep, type RetryOptions } from './retry.ts'
import type { Call, Transport } from './transport.ts'
import type { GenerateRequest, GenerationEvent } from './wire.ts'

export interface FollowOptions extends RetryOptions {
  /** Silence after which a connection counts as lost. */
  idleTimeoutMs: number
  /** Makes repeats of this request the same generation. Default: a random one. */
  idempotencyKey?: string | undefined
}

/** How far a generation has come, over all its connections. */
interface Progress {
  idempotencyKey: string
  begun: boolean
  /** Of the last event received; empty where the server gives none. */
  lastEventId: string
  /** By which the server calls the stream while it runs, if it keeps it for those who were cut off. */
  streamId: string | null
}

/** How long a farewell may take: without it the server ends a stream that nobody reads by itself, later. */
const FAREWELL_MS = 5_000

/**
 * The events of one generation, each once, in order, the last one `end`. A failure that may pass is repeated as long as
 * nothing has come; a connection cut later is taken up behind the last event.
 *
 * @throws SetblockError
 */
export async function* followGeneration(
  transport: Transport,
  request: GenerateRequest,
  options: FollowOptions & { signal: AbortSignal },
): AsyncGenerator<GenerationEvent> {
  const progress: Progress = {
    idempotencyKey: options.idempotencyKey ?? randomKey(),
    begun: false,
    lastEventId: '',
    streamId: null,
  }
  try {
    yield* followOn(transport, request, { ...options, progress })
  } finally {
    void sayFarewell(transport, progress.streamId)
  }
}

/** Ends a generation whose events are no longer wanted. */
async function sayFarewell(transport: Transport, streamId: string | null): Promise<void> {
  if (streamId === null) return
  const path = `/v1/streams/${streamId}`
  const signal = AbortSignal.timeout(FAREWELL_MS)
  await transport.send({ method: 'DELETE', path, signal }).catch(() => undefined)
}

/** One connection after another, until the generation has ended. */
async function* followOn(
  transport: Transport,
  request: GenerateRequest,
  options: FollowOptions & { signal: AbortSignal; progress: Progress },
): AsyncGenerator<GenerationEvent> {
  const { signal, progress } = options
  for (let failures = 0; ; failures += 1) {
    try {
      for await (const event of openOnce(transport, request, options)) {
        failures = 0
        if (event.type === 'end') progress.streamId = null
        yield event
        if (event.type === 'end') return
      }
      throw connectionLost('the stream ended before the answer did')
    } catch (error) {
      // Others are faults of the caller's getToken or fetch, or of ours: not to be dressed up.
      if (!(error instanceof SetblockError)) throw error
      const again = !signal.aborted && failures < options.retriesMax && mayRepeat(error, progress)
      if (!again) throw error
      await sleep(retryDelayMs(error, failures, options), signal)
    }
  }
}

/** One connection: a new one, or one that takes up where the last broke off. */
async function* openOnce(
  transport: Transport,
  request: GenerateRequest,
  options: FollowOptions & { signal: AbortSignal; progress: Progress },
): AsyncGenerator<GenerationEvent> {
  const { progress, signal, idleTimeoutMs } = options
  const { lastEventId, idempotencyKey } = progress
  const call = {
    method: 'POST',
    path: '/v1/generate',
    headers: {
      accept: 'text/event-stream',
      'idempotency-key': idempotencyKey,
      'x-setblock-resumable': 'true',
      ...(lastEventId === '' ? {} : { 'last-event-id': lastEventId }),
    },
    body: { reveals: true, ...request, stream: true },
  } as const
  const response = await openStream(transport, call, signal)
  progress.streamId = streamIdOf(response)
  for await (const message of readEventStream(response, idleTimeoutMs)) {
    const event = parseEvent(message.data, progress)
    progress.lastEventId = message.lastEventId
    if (event === undefined) continue
    progress.begun = true
    yield event
  }
}

const streamIdOf = (response: Response) => response.headers.get('x-setblock-stream-id')

/**
 * The answer to a request for a stream; the signal ends both. Whoever leaves before its headers are there does not know
 * what the server calls the stream that it keeps, so the request stays for a moment, only to learn that and end it.
 */
async function openStream(
  transport: Transport,
  call: Omit<Call, 'signal'>,
  signal: AbortSignal,
): Promise<Response> {
  const left = () => clientError('aborted', 'the request was aborted')
  if (signal.aborted) throw left()
  const connection = new AbortController()
  const sending = transport.send({ ...call, signal: connection.signal })
  const leaving = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(left()), { once: true })
  })
  try {
    const response = await Promise.race([sending, leaving])
    if (signal.aborted) throw left()
    signal.addEventListener('abort', () => connection.abort(), { once: true })
    return response
  } catch (error) {
    if (signal.aborted) void endUnread(transport, sending, connection)
    throw error
  }
}

async function endUnread(
  transport: Transport,
  sending: Promise<Response>,
  connection: AbortController,
): Promise<void> {
  const timer = setTimeout(() => connection.abort(), FAREWELL_MS)
  const response = await sending.catch(() => undefined)
  clearTimeout(timer)
  if (response !== undefined) await sayFarewell(transport, streamIdOf(response))
  connection.abort()
}

function mayRepeat({ code, retryable }: SetblockError, progress: Progress): boolean {
  if (!progress.begun) return retryable
  const cut = code === 'connection_lost' || code === 'connection_failed'
  return progress.lastEventId !== '' && (cut || retryable)
}

const EVENT_TYPES = new Set(['start', 'reveal', 'text', 'end'])

/**
 * @returns undefined for an event of a type that a later server may add.
 * @throws SetblockError the one that an error event carries.
 */
function parseEvent(data: string, progress: Progress): GenerationEvent | undefined {
  const value = parseJson(data) as { type?: unknown } | null
  if (isEnvelope(value)) {
    const error = errorFromEnvelope(value)
    // This connection alone was given up: the generation goes on.
    if (error.code === 'reader_too_slow') throw connectionLost(error.message, error)
    // The generation itself has failed, so there is nothing to take up: a repeat is another one.
    progress.idempotencyKey = randomKey()
    progress.lastEventId = ''
    progress.streamId = null
    throw error
  }
  return EVENT_TYPES.has(value?.type as string) ? (value as GenerationEvent) : undefined
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw clientError('invalid_answer', 'the server sent an event that is no JSON', { cause })
  }
}

/** 128 random bits; not randomUUID, which pages have over HTTPS only. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
