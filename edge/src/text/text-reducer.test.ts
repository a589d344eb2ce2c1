import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EndEvent, JobEvent } from '@setblock/shared'
import { createRandom } from '../test-support/random-source.ts'
import { loadTiny, TINY } from '../test-support/tiny-model.ts'
import { TextReducer } from './text-reducer.ts'
import type { TextReducerOptions } from './text-reducer.ts'
import type { TextEvent } from './text-events.ts'

const { tokenizer } = await loadTiny()
const PROMPT_TOKENS = 5

function createReducer(options: Partial<TextReducerOptions> = {}): TextReducer {
  return new TextReducer({
    promptTokens: PROMPT_TOKENS,
    maxTokens: 100,
    stopTokenIds: [TINY.eos, TINY.end],
    stopStrings: [],
    closesTurn: false,
    reveals: false,
    logprobs: false,
    bytesOf: tokenizer.bytesOf,
    ...options,
  })
}

const start: JobEvent = {
  type: 'start',
  promptTokens: PROMPT_TOKENS,
  cachedTokens: 2,
  queueMs: 0,
}

/** Reveals `ids[index]` at generated position `index`, for the indices given. */
function reveal(ids: readonly number[], indices: readonly number[], step = 0): JobEvent {
  return {
    type: 'reveal',
    block: 0,
    step,
    positions: indices.map((index) => PROMPT_TOKENS + index),
    tokenIds: indices.map((index) => ids[index]!),
  }
}

function end(finishReason: 'stop' | 'length', completionTokens = 1): EndEvent {
  return {
    type: 'end',
    finishReason,
    usage: {
      promptTokens: PROMPT_TOKENS,
      cachedTokens: 2,
      completionTokens,
      forwardPasses: { prefill: 1, decode: 1 },
      tokensPerForward: completionTokens,
      queueMs: 0,
      prefillMs: 0,
      decodeMs: 0,
      effectiveGamma: null,
    },
  }
}

function run(reducer: TextReducer, events: readonly JobEvent[]): TextEvent[] {
  return events.flatMap((event) => (reducer.ended ? [] : reducer.push(event)))
}

function deltas(events: readonly TextEvent[]): string[] {
  return events.flatMap((event) => (event.type === 'text' ? [event.delta] : []))
}

test('text appears only below the frontier', () => {
  const ids = tokenizer.encodeText('The little boat crossed')
  const reducer = createReducer()
  reducer.push(start)
  assert.deepEqual(reducer.push(reveal(ids, [2, 1])), [])
  const [text] = reducer.push(reveal(ids, [0]))
  assert.deepEqual(text, { type: 'text', delta: 'The little boat' })
})

test('the usage of a finished job is the worker’s own', () => {
  const ids = tokenizer.encodeText('a')
  const events = run(createReducer(), [start, reveal(ids, [0]), end('length')])
  assert.deepEqual(events, [
    { type: 'start', promptTokens: PROMPT_TOKENS, cachedTokens: 2 },
    { type: 'text', delta: 'a' },
    { type: 'end', finishReason: 'length', usage: end('length').usage },
  ])
})

test('a character spread over tokens and blocks is sent whole', () => {
  const ids = tokenizer.encodeText('🎉é')
  assert.ok(ids.length >= 5, 'the tiny vocabulary must spell this in single bytes')
  const reducer = createReducer()
  reducer.push(start)
  const sent = ids.map((_, index) => deltas(reducer.push(reveal(ids, [index], index))).join(''))
  assert.equal(sent.join(''), '🎉é')
  assert.deepEqual(sent.slice(0, 3), ['', '', ''])
})

test('an unfinished character at the end becomes U+FFFD, as in a full decode', () => {
  const ids = tokenizer.encodeText('🎉').slice(0, 2)
  const events = run(createReducer(), [start, reveal(ids, [0, 1]), end('length')])
  assert.deepEqual(deltas(events), ['\uFFFD'])
})

test('an end token revealed out of order ends the text at its own place', () => {
  const ids = [...tokenizer.encodeText('ab'), TINY.end, ...tokenizer.encodeText('cd')]
  const reducer = createReducer()
  const events = run(reducer, [start, reveal(ids, [2, 3]), reveal(ids, [1]), reveal(ids, [0])])
  assert.deepEqual(deltas(events), ['ab'])
  assert.equal(reducer.ended, false)
  assert.deepEqual(reducer.push(reveal(ids, [4])), [])
  const last = reducer.push(end('length'))
  assert.deepEqual(last, [{ type: 'end', finishReason: 'stop', usage: end('length').usage }])
})

test('what was held back for a stop string is sent when an end token comes', () => {
  const ids = [...tokenizer.encodeText('a\n'), TINY.eos]
  const reducer = createReducer({ stopStrings: ['\n\n'] })
  const events = run(reducer, [start, reveal(ids, [0, 1, 2]), end('stop')])
  assert.deepEqual(deltas(events), ['a\n'])
})

test('a stop string across blocks ends the job and counts what had arrived', () => {
  const ids = tokenizer.encodeText('one STOP two')
  const prefixes = ids.map((_, index) => decode(ids.slice(0, index + 1)))
  const completed = prefixes.findIndex((prefix) => prefix.includes('STOP')) + 1
  const reducer = createReducer({ stopStrings: ['STOP'] })
  const events = [start, ...ids.map((_, index) => reveal(ids, [index], index))]
  const out = run(reducer, events)
  assert.equal(deltas(out).join(''), 'one ')
  assert.equal(reducer.ended, true)
  assert.deepEqual(out.at(-1), {
    type: 'end',
    finishReason: 'stop',
    usage: {
      promptTokens: PROMPT_TOKENS,
      cachedTokens: 2,
      completionTokens: completed,
      forwardPasses: { prefill: null, decode: completed },
      tokensPerForward: 1,
      queueMs: 0,
      prefillMs: null,
      decodeMs: null,
      effectiveGamma: null,
    },
  })
})

test('reveals are passed on when asked for, tokens with their own text', () => {
  const ids = tokenizer.encodeText('ab')
  const reducer = createReducer({ reveals: true })
  const [event] = run(reducer, [start, reveal([...ids, TINY.end], [2, 1])]).slice(1)
  assert.deepEqual(event, {
    type: 'reveal',
    block: 0,
    step: 0,
    tokens: [
      { position: PROMPT_TOKENS + 2, id: TINY.end, text: '' },
      { position: PROMPT_TOKENS + 1, id: ids[1], text: 'b' },
    ],
  })
})

test('a worker that breaks the protocol is an internal error', () => {
  const ids = tokenizer.encodeText('abc')
  const broken: JobEvent[][] = [
    [{ ...start, promptTokens: 4 }],
    [start, reveal(ids, [0]), reveal(ids, [0])],
    [start, reveal(ids, [1]), end('length')],
    [start, { type: 'reveal', block: 0, step: 0, positions: [PROMPT_TOKENS - 1], tokenIds: [9] }],
    [start, { type: 'reveal', block: 0, step: 0, positions: [PROMPT_TOKENS + 100], tokenIds: [9] }],
  ]
  for (const events of broken) {
    assert.throws(() => run(createReducer(), events), { code: 'internal_error' })
  }
})

test('an error event is thrown with its code', () => {
  const event: JobEvent = {
    type: 'error',
    code: 'deadline_exceeded',
    message: 'took too long',
    retryable: true,
  }
  assert.throws(() => createReducer().push(event), {
    code: 'deadline_exceeded',
    message: 'took too long',
  })
})

function decode(ids: readonly number[]): string {
  const bytes = ids.flatMap((id) => [...tokenizer.bytesOf(id)])
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes))
}

test('for random tokens, orders and groupings: deltas join to the full decode, never ahead of it', () => {
  const random = createRandom(20_260)
  for (let round = 0; round < 300; round++) {
    const length = 1 + random.below(40)
    const ids = Array.from({ length }, () => 8 + random.below(tokenizer.vocabularySize - 8))
    const full = decode(ids)
    const stops = round % 3 === 0 ? [full.slice(3, 5) || 'zz', 'never there'] : []
    const expected = expectedText(full, stops)
    const reducer = createReducer({ stopStrings: stops })
    reducer.push(start)
    let sent = ''
    for (const step of randomSteps(length, random)) {
      if (reducer.ended) break
      sent += deltas(reducer.push(reveal(ids, step))).join('')
      assert.ok(expected.startsWith(sent), JSON.stringify({ round, sent, expected }))
      assert.ok(sent.isWellFormed())
    }
    if (!reducer.ended) sent += deltas(reducer.push(end('length'))).join('')
    assert.equal(sent, expected, `round ${round}`)
  }
})

/** Cuts the text at the stop string that ends first. */
function expectedText(full: string, stops: readonly string[]): string {
  const matches = stops
    .map((stop) => ({ start: full.indexOf(stop), length: stop.length }))
    .filter(({ start }) => start >= 0)
    .sort((a, b) => a.start + a.length - (b.start + b.length) || a.start - b.start)
  return matches[0] === undefined ? full : full.slice(0, matches[0].start)
}

/** Blocks of random size, each revealed in a random order and in random groups. */
function randomSteps(length: number, random: ReturnType<typeof createRandom>): number[][] {
  const steps: number[][] = []
  for (let from = 0; from < length;) {
    const size = Math.min(length - from, 1 + random.below(16))
    const order = random.shuffle(Array.from({ length: size }, (_, index) => from + index))
    while (order.length > 0) steps.push(order.splice(0, 1 + random.below(4)))
    from += size
  }
  return steps
}

test('a character seen as one is not split, whatever its tokens', () => {
  const text = 'by 👩\u200D🚀 to 🇫🇷'
  const ids = tokenizer.encodeText(text)
  const reducer = createReducer()
  const out = run(reducer, [start, ...ids.map((_, index) => reveal(ids, [index]))])
  assert.ok(out.length > 5)
  const pieces = new Intl.Segmenter('und').segment(text)
  const boundaries = new Set([...pieces].map(({ index }) => index))
  let length = 0
  for (const delta of deltas(out)) {
    assert.ok(boundaries.has(length), JSON.stringify(delta))
    length += delta.length
  }
})

test('half a character at the end of the text is text', () => {
  const ids = tokenizer.encodeText('to 🇫')
  const events = run(createReducer(), [start, reveal(ids, [...ids.keys()]), end('length')])
  assert.equal(deltas(events).join(''), 'to 🇫')
})
