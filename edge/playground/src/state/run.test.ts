import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toCells } from './cells.ts'
import { countRun } from './counters.ts'
import type { NativeEvent, TimedEvent } from './events.ts'
import { parseEvent } from './events.ts'
import { endStream, failRun, NEW_RUN, stopRun, takeEvent } from './run.ts'
import type { Run } from './run.ts'

const PROMPT_TOKENS = 10

/** Events ten milliseconds apart. */
const timed = (...events: NativeEvent[]): TimedEvent[] =>
  events.map((event, index) => ({ atMs: (index + 1) * 10, event }))

const start = (decoding: Extract<NativeEvent, { type: 'start' }>['decoding']): NativeEvent => ({
  type: 'start',
  id: 'gen-1',
  model: 'm',
  decoding,
  seed: 7,
  prompt_tokens: PROMPT_TOKENS,
})
const sbd = start({ mode: 'sbd', block_length: 4, gamma: 0.1, rule: 'strict' })

/** Tokens named by their place behind the prompt. */
const reveal = (step: number, ...places: number[]): NativeEvent => ({
  type: 'reveal',
  block: 0,
  step,
  tokens: places.map((place) => ({
    position: PROMPT_TOKENS + place,
    id: place,
    text: `t${place}`,
  })),
})
const end = (tokens: number, forwards: number): NativeEvent => ({
  type: 'end',
  finish_reason: 'stop',
  usage: {
    prompt_tokens: PROMPT_TOKENS,
    completion_tokens: tokens,
    forward_passes: forwards,
    forward_passes_details: { prefill: 0, decode: forwards },
    tokens_per_forward: tokens / forwards,
  },
})

const fold = (...events: NativeEvent[]): Run => timed(...events).reduce(takeEvent, NEW_RUN)
const draw = (run: Run): string =>
  toCells(run)
    .map((cell) => (cell.kind === 'token' ? cell.token.text : { hole: '_', ahead: '.' }[cell.kind]))
    .join(' ')

test('tokens stand at their positions, and what is not revealed before them is a hole', () => {
  assert.equal(draw(fold(sbd)), '. . . .')
  assert.equal(draw(fold(sbd, reveal(0, 3, 0))), 't0 _ _ t3')
  assert.equal(draw(fold(sbd, reveal(0, 3, 0), reveal(1, 2))), 't0 _ t2 t3')
  assert.equal(draw(fold(sbd, reveal(0, 0, 2))), 't0 _ t2 .')
})

test('behind a full block the next one is masked; behind a draft, the next draft', () => {
  assert.equal(draw(fold(sbd, reveal(0, 0, 1, 2, 3))), 't0 t1 t2 t3 . . . .')
  const verified = start({ mode: 'verified', block_length: 3 })
  assert.equal(draw(fold(verified, reveal(0, 0, 1))), 't0 t1 . . .')
  assert.equal(draw(fold(start({ mode: 'ntp' }), reveal(0, 0))), 't0')
})

test('a run that is over looks ahead to nothing', () => {
  assert.equal(draw(fold(sbd, reveal(0, 0, 1), end(2, 1))), 't0 t1')
  assert.equal(draw(stopRun(fold(sbd, reveal(0, 0, 2)))), 't0 _ t2')
})

test('every token knows its forward; tokens behind the end do not count', () => {
  const run = fold(sbd, reveal(0, 0, 3), reveal(1, 1, 2), end(3, 2))
  assert.deepEqual(
    run.tokens.map((token) => token?.step),
    [0, 1, 1, 0],
  )
  assert.deepEqual(run.reveals, [2, 2])
  const beyond = toCells(run).map((cell) => cell.kind === 'token' && cell.beyondEnd)
  assert.deepEqual(beyond, [false, false, false, true])
  assert.equal(run.status, 'done')
})

test('counters are live, then the server’s', () => {
  const live = countRun(fold(sbd, reveal(0, 0, 3), reveal(1, 1)))
  assert.deepEqual(
    { ...live, tokensPerSecond: Math.round(live.tokensPerSecond ?? 0) },
    {
      tokens: 3,
      forwards: 2,
      tokensPerForward: 1.5,
      forwardsSaved: 1,
      tokensPerSecond: 100,
      ttftMs: undefined,
      totalMs: 30,
    },
  )
  const text: NativeEvent = { type: 'text', delta: 't0' }
  const over = countRun(fold(sbd, reveal(0, 0, 3), text, reveal(1, 1, 2), end(3, 2)))
  assert.equal(over.tokens, 3)
  assert.equal(over.forwardsSaved, 1)
  assert.equal(over.ttftMs, 30)
})

test('a run without tokens has no figures to show', () => {
  const { tokensPerForward, tokensPerSecond, ttftMs } = countRun(NEW_RUN)
  assert.deepEqual([tokensPerForward, tokensPerSecond, ttftMs], [undefined, undefined, undefined])
})

test('an error event, a cut and a failure keep what had arrived, and the first one counts', () => {
  const begun = fold(sbd, reveal(0, 0))
  const failed = takeEvent(begun, {
    atMs: 99,
    event: { type: 'error', error: { message: 'too late', code: 'deadline_exceeded' } },
  })
  assert.equal(failed.status, 'failed')
  assert.match(failed.failure?.detail ?? '', /^Too late\./)
  assert.equal(draw(failed), 't0')
  assert.equal(endStream(begun).failure?.title, 'The connection was cut')
  const failure = { title: 'x', detail: 'y', remedy: 'retry' } as const
  assert.equal(failRun(begun, failure).failure, failure)
  for (const settle of [endStream, stopRun]) assert.equal(settle(failed), failed)
  assert.equal(takeEvent(failed, { atMs: 100, event: reveal(1, 1) }), failed)
})

test('kinds of events that are not known are skipped', () => {
  assert.equal(parseEvent('{"type":"news"}'), undefined)
  assert.deepEqual(parseEvent('{"type":"text","delta":"a"}'), { type: 'text', delta: 'a' })
})
