import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JobEvent } from './job.ts'
import { encodeEvent, HEARTBEAT_LINE, parseEvents, type ParseEventsOptions } from './ndjson.ts'

const start: JobEvent = { type: 'start', promptTokens: 3, cachedTokens: 0, queueMs: 1 }
const reveal: JobEvent = { type: 'reveal', block: 0, step: 0, positions: [4, 3], tokenIds: [9, 8] }
const failure: JobEvent = { type: 'error', code: 'aborted', message: 'gone é', retryable: false }
const end: JobEvent = {
  type: 'end',
  finishReason: 'stop',
  usage: {
    promptTokens: 3,
    cachedTokens: 0,
    completionTokens: 2,
    forwardPasses: { prefill: 0, decode: 1 },
    tokensPerForward: 2,
    queueMs: 1,
    prefillMs: 2,
    decodeMs: 3,
    effectiveGamma: null,
  },
}

async function* chunked(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function collect(text: string, options?: ParseEventsOptions, size = 7): Promise<JobEvent[]> {
  const events: JobEvent[] = []
  for await (const event of parseEvents(chunked(text, size), options)) events.push(event)
  return events
}

const lines = (...events: JobEvent[]): string => events.map(encodeEvent).join('')

test('events come back whole however the bytes are cut', async () => {
  const text = lines(start, reveal, failure)
  for (const size of [1, 2, 5, 64, text.length]) {
    assert.deepEqual(await collect(text, {}, size), [start, reveal, failure])
  }
})

test('a stream of the platform works as a source, and is cancelled when it is left', async () => {
  let cancelled = false
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => {
      controller.enqueue(new TextEncoder().encode(lines(start, reveal)))
    },
    cancel: () => {
      cancelled = true
    },
  })
  for await (const event of parseEvents(stream)) if (event.type === 'reveal') break
  assert.equal(cancelled, true)
})

test('an iterable source is returned when it is left', async () => {
  let returned = false
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      yield* chunked(lines(start, reveal, end), 8)
    } finally {
      returned = true
    }
  }
  for await (const event of parseEvents(source())) if (event.type === 'start') break
  assert.equal(returned, true)
})

test('blank lines are heartbeats, reported and otherwise skipped', async () => {
  let heartbeats = 0
  const options = { onHeartbeat: () => (heartbeats += 1) }
  const text = HEARTBEAT_LINE + lines(start) + HEARTBEAT_LINE + HEARTBEAT_LINE + lines(end)
  assert.deepEqual(await collect(text, options), [start, end])
  assert.equal(heartbeats, 3)
})

test('reading stops at the terminal event', async () => {
  assert.deepEqual(await collect(lines(start, end) + 'rubbish\n'), [start, end])
})

const faults: [fault: string, name: string, text: string][] = [
  ['truncated', 'no terminal event', lines(start, reveal)],
  ['truncated', 'a torn terminal line', lines(start, end).slice(0, -1)],
  ['truncated', 'nothing at all', ''],
  ['out-of-order', 'a reveal before the start', lines(reveal)],
  ['out-of-order', 'a second start', lines(start, start)],
  ['out-of-order', 'an end before the start', lines(end)],
  ['invalid-json', 'half a line', lines(start) + '{"type":\n'],
  ['invalid-event', 'an unknown type', lines(start) + '{"type":"draft"}\n'],
  ['invalid-event', 'uneven lists', lines(start, { ...reveal, tokenIds: [1] })],
  ['line-too-long', 'a long closed line', `${'x'.repeat(301)}\n`],
  ['line-too-long', 'a long open line', 'x'.repeat(301)],
]
for (const [fault, name, text] of faults) {
  test(`${name}: ${fault}`, async () => {
    const options = { lineBytesMax: 300 }
    for (const size of [1, 1000]) {
      await assert.rejects(collect(text, options, size), { name: 'EventStreamError', fault })
    }
  })
}

test('an error event may come first: a job can fail before it starts', async () => {
  assert.deepEqual(await collect(lines(failure)), [failure])
})

test('bytes that are not UTF-8 are refused, never repaired', async () => {
  async function* source(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array([0x22, 0xff, 0x22, 10])
  }
  await assert.rejects(parseEvents(source()).next(), { fault: 'invalid-json' })
})

test('a fault never quotes the stream', async () => {
  const secret = 'the moon is made of cheese'
  await assert.rejects(collect(`${lines(start)}"${secret}\n`), (error: Error) => {
    assert.doesNotMatch(`${error.stack} ${String(error.cause)}`, /moon|cheese/)
    return true
  })
})
