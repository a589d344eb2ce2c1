import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createParser } from 'eventsource-parser'
import * as fc from 'fast-check'
import { EventStreamParser, type ServerSentEvent } from './event-stream-parser.ts'

const utf8 = new TextEncoder()

/** Parses bytes that arrive in pieces cut at the given places. */
function parse(bytes: Uint8Array, cuts: readonly number[] = []): ServerSentEvent[] {
  const parser = new EventStreamParser()
  const places = [...new Set([0, ...cuts, bytes.length])].sort((a, b) => a - b)
  return places.flatMap((place, index) => parser.push(bytes.subarray(place, places[index + 1])))
}

const dataOf = (text: string): string[] => parse(utf8.encode(text)).map(({ data }) => data)

test('the examples of the standard', () => {
  assert.deepEqual(dataOf('data: YHOO\ndata: +2\ndata: 10\n\n'), ['YHOO\n+2\n10'])
  const stream =
    ': test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n'
  assert.deepEqual(
    parse(utf8.encode(stream)).map(({ data, lastEventId }) => [data, lastEventId]),
    [
      ['first event', '1'],
      ['second event', ''],
      [' third event', ''],
    ],
  )
  assert.deepEqual(dataOf('data\n\ndata\ndata\n\ndata:'), ['', '\n'])
  assert.deepEqual(dataOf('data:test\n\ndata: test\n\n'), ['test', 'test'])
})

test('an event that the end cuts off is not given out', () => {
  assert.deepEqual(dataOf('data: whole\n\ndata: half\n'), ['whole'])
})

test('names, comments, the byte order mark, ids with NUL and retry', () => {
  const parser = new EventStreamParser()
  const text =
    '\uFEFF:c\nevent: e\nid: 1\nretry: 250\ndata: x\n\nid: a\0b\nretry: soon\ndata: y\n\n'
  assert.deepEqual(parser.push(utf8.encode(text)), [
    { event: 'e', data: 'x', lastEventId: '1' },
    { event: 'message', data: 'y', lastEventId: '1' },
  ])
  assert.equal(parser.retryMs, 250)
})

test('an event without end is refused, however it is spread', () => {
  const parser = new EventStreamParser()
  const lines = utf8.encode(`data: ${'x'.repeat(1000)}\n`)
  assert.throws(() => {
    for (let index = 0; index < 2000; index += 1) parser.push(lines)
  }, RangeError)
  assert.throws(() => new EventStreamParser().push(new Uint8Array(2 ** 21).fill(0x78)), RangeError)
})

const piece = fc.constantFrom(
  'data: ',
  'data:',
  'data',
  'id: ',
  'id',
  'event: ',
  'retry: 10',
  ':',
  ' ',
  'x',
  'é',
  '🦊',
  '{"a":1}',
  '\n',
  '\r',
  '\r\n',
  '\n\n',
  '\r\r',
  '\r\n\r\n',
  '\uFEFF',
  '\0',
)
const streamText = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(''))

test('every cut into two gives the same events', () => {
  fc.assert(
    fc.property(streamText, (text) => {
      const bytes = utf8.encode(text)
      const whole = parse(bytes)
      for (let cut = 0; cut <= bytes.length; cut += 1) {
        assert.deepEqual(parse(bytes, [cut]), whole, `cut at ${cut}`)
      }
    }),
  )
})

test('any cut into many gives the same events, byte by byte included', () => {
  fc.assert(
    fc.property(streamText, fc.array(fc.nat(400)), (text, cuts) => {
      const bytes = utf8.encode(text)
      const whole = parse(bytes)
      const inside = cuts.map((cut) => cut % (bytes.length + 1))
      assert.deepEqual(parse(bytes, inside), whole)
      assert.deepEqual(parse(bytes, [...bytes.keys()]), whole)
    }),
  )
})

test('the events are those of an independent parser', () => {
  fc.assert(
    fc.property(streamText, (text) => {
      const events: { event: string; data: string }[] = []
      const parser = createParser({
        onEvent: ({ event, data }) => events.push({ event: event || 'message', data }),
      })
      parser.feed(text)
      const ours = parse(utf8.encode(text)).map(({ event, data }) => ({ event, data }))
      assert.deepEqual(ours, events)
    }),
  )
})
