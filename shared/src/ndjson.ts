import { jobEventSchema, type JobEvent } from './job.ts'
import { limits } from './limits.ts'

const NEWLINE = 10

const strictUtf8 = new TextDecoder('utf-8', { fatal: true })

/** A line that means "still here"; parsers skip it. */
export const HEARTBEAT_LINE = '\n'

/** One event as one line of JSON, newline included. */
export function encodeEvent(event: JobEvent): string {
  return `${JSON.stringify(event)}\n`
}

export type EventStreamFault =
  | 'line-too-long'
  | 'invalid-json'
  | 'invalid-event'
  | 'out-of-order'
  | 'truncated'

/** A worker's stream that breaks the protocol. The message never quotes the stream's content. */
export class EventStreamError extends Error {
  override readonly name = 'EventStreamError'
  readonly fault: EventStreamFault

  constructor(fault: EventStreamFault, message: string, cause?: unknown) {
    super(message, { cause })
    this.fault = fault
  }
}

export type ByteSource = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>

export interface ParseEventsOptions {
  readonly lineBytesMax?: number
  /** Called for every blank line, so that a caller can tell a slow job from a dead worker. */
  readonly onHeartbeat?: () => void
}

/**
 * Reads a worker's answer event by event, and stops after the terminal one. Leaving early cancels
 * the source; but abort the request first, because a parked read holds the generator.
 *
 * @throws EventStreamError on a stream that is not: one start, reveals, one end or error.
 */
export async function* parseEvents(
  source: ByteSource,
  options: ParseEventsOptions = {},
): AsyncGenerator<JobEvent, void, undefined> {
  let started = false
  for await (const line of splitLines(source, options.lineBytesMax ?? limits.eventLineBytesMax)) {
    if (line.length === 0) {
      options.onHeartbeat?.()
      continue
    }
    const event = parseLine(line)
    if (started === (event.type === 'start') && event.type !== 'error') {
      throw new EventStreamError('out-of-order', `unexpected ${event.type} event`)
    }
    started = true
    yield event
    if (event.type === 'end' || event.type === 'error') return
  }
  throw new EventStreamError('truncated', 'the stream ended before its terminal event')
}

function parseLine(line: Uint8Array): JobEvent {
  let value: unknown
  try {
    value = JSON.parse(strictUtf8.decode(line))
  } catch {
    // The parser's own message quotes the text, which may be a user's: it is not kept as a cause.
    throw new EventStreamError('invalid-json', 'a line is not JSON in UTF-8')
  }
  const result = jobEventSchema.safeParse(value)
  if (result.success) return result.data
  const path = result.error.issues[0]?.path.join('.') ?? ''
  throw new EventStreamError('invalid-event', `a line is not a job event (at "${path}")`)
}

/** Lines without their newline; a last line that no newline closes is dropped as torn. */
async function* splitLines(source: ByteSource, bytesMax: number): AsyncGenerator<Uint8Array> {
  let pending = new Uint8Array(0)
  for await (const chunk of iterate(source)) {
    let rest = pending.length === 0 ? chunk : concatenate(pending, chunk)
    for (let end = rest.indexOf(NEWLINE); end !== -1; end = rest.indexOf(NEWLINE)) {
      checkLength(end, bytesMax)
      yield rest.subarray(0, end)
      rest = rest.subarray(end + 1)
    }
    checkLength(rest.length, bytesMax)
    pending = rest.slice()
  }
}

function checkLength(bytes: number, bytesMax: number): void {
  if (bytes <= bytesMax) return
  throw new EventStreamError('line-too-long', `a line exceeds ${bytesMax} bytes`)
}

function concatenate(first: Uint8Array, second: Uint8Array): Uint8Array {
  const joined = new Uint8Array(first.length + second.length)
  joined.set(first)
  joined.set(second, first.length)
  return joined
}

/** One way to read both kinds of source: not every runtime's streams are async iterables. */
async function* iterate(source: ByteSource): AsyncGenerator<Uint8Array> {
  if (!('getReader' in source)) {
    yield* source
    return
  }
  const reader = source.getReader()
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value
  } finally {
    // The source may have failed already; then there is nothing left to cancel.
    await reader.cancel().catch(() => undefined)
  }
}
