import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import * as z from 'zod'
import { parseSse, startHarness, TEST_LIMITS } from '../test-support/harness.ts'
import type { FakeWorkerOptions } from '../test-support/fake-worker.ts'
import { revealsOf, startOf, usageOf, write } from '../test-support/scripts.ts'

const TEXT = 'The little boat sailed on'
const BODY = { model: 'tiny', messages: [{ role: 'user', content: 'hi' }], stream: true }
const CHAT = '/v1/chat/completions'

type Script = NonNullable<FakeWorkerOptions['script']>

async function start(t: TestContext, script: Script, limits = {}) {
  const harness = await startHarness(t, { script, limits: { ...TEST_LIMITS, ...limits } })
  const { deps, post } = harness
  t.after(() => {
    if (deps.homes.kind === 'here') deps.homes.hub.close()
  })
  const chat = (headers: Record<string, string>, body: object = BODY, init: RequestInit = {}) =>
    post(CHAT, body, {
      headers: {
        authorization: 'Bearer sb-test-key',
        'content-type': 'application/json',
        ...headers,
      },
      ...init,
    })
  const resume = (id: string, headers: Record<string, string> = {}) =>
    harness.get(`/v1/streams/${id}`, {
      headers: { authorization: 'Bearer sb-test-key', ...headers },
    })
  return { ...harness, chat, resume }
}

/** A script that stops in the middle until the test lets it go on. */
function pausing() {
  const half = Promise.withResolvers<void>()
  const go = Promise.withResolvers<void>()
  const left = Promise.withResolvers<void>()
  const script: Script = async (job, answer) => {
    const reveals = revealsOf(job, TEXT)
    const middle = Math.floor(reveals.length / 2)
    answer.send(startOf(job), ...reveals.slice(0, middle))
    half.resolve()
    void answer.left.then(left.resolve)
    await Promise.race([go.promise, answer.left])
    const usage = usageOf(job, 2 * reveals.length, reveals.length)
    answer.send(...reveals.slice(middle), { type: 'end', finishReason: 'stop', usage })
  }
  return { script, half: half.promise, go: go.resolve, left: left.promise }
}

const chunkSchema = z.object({
  choices: z.array(z.object({ delta: z.object({ content: z.string().optional() }) })),
})
const envelope = z.object({ error: z.object({ code: z.string() }) })
const codeOf = async (response: Response) => envelope.parse(await response.json()).error.code

function textOf(sse: string): string {
  return parseSse(sse)
    .filter((payload) => payload !== '[DONE]')
    .map((payload) => chunkSchema.parse(payload).choices[0]?.delta.content ?? '')
    .join('')
}

const idsOf = (sse: string): string[] => [...sse.matchAll(/^id: (.*)$/gm)].map((match) => match[1]!)

/** Reads from a stream until its text holds `part`. */
async function readUntil(reader: ReadableStreamDefaultReader<Uint8Array>, part: string) {
  const utf8 = new TextDecoder()
  let text = ''
  while (!text.includes(part)) text += utf8.decode((await reader.read()).value, { stream: true })
  return text
}

test('events are numbered from 1, to the last', async (t) => {
  const { chat, post } = await start(t, write(TEXT))
  const native = await post('/v1/generate', { model: 'tiny', prompt: 'a', stream: true })
  for (const response of [await chat({}), native]) {
    const sse = await response.text()
    const ids = idsOf(sse)
    assert.equal(ids.length, parseSse(sse).length)
    assert.deepEqual(
      ids.map((id) => Number(id.split('-')[1])),
      ids.map((_, index) => index + 1),
    )
  }
})

test('a repeat of a finished request gets the same answer and generates nothing', async (t) => {
  const { chat, worker } = await start(t, write(TEXT))
  const headers = { 'idempotency-key': 'one' }
  const first = await chat(headers)
  const second = await chat(headers)
  assert.equal(second.headers.get('idempotent-replayed'), 'true')
  assert.equal(first.headers.get('idempotent-replayed'), null)
  const sse = await first.text()
  assert.equal(await second.text(), sse)
  assert.equal(textOf(sse), TEXT)
  assert.equal(worker.jobs.length, 1)

  const whole = { ...BODY, stream: false }
  const bodies = [await chat({ 'idempotency-key': 'two' }, whole)]
  bodies.push(await chat({ 'idempotency-key': 'two' }, whole))
  const [a, b] = await Promise.all(bodies.map(async (response) => response.json()))
  assert.deepEqual(a, b)
  assert.equal(worker.jobs.length, 2)
})

test('a repeat attaches to the stream that runs, from its beginning', async (t) => {
  const { script, half, go } = pausing()
  const { chat, worker } = await start(t, script)
  const headers = { 'idempotency-key': 'one' }
  const first = await chat(headers)
  await half
  const second = await chat(headers)
  const texts = Promise.all([first.text(), second.text()])
  go()
  const [a, b] = await texts
  assert.equal(a, b)
  assert.equal(textOf(a), TEXT)
  assert.equal(worker.jobs.length, 1)
})

test('requests at the same moment generate once', async (t) => {
  const { chat, worker } = await start(t, write(TEXT))
  const headers = { 'idempotency-key': 'one' }
  const answers = await Promise.all(Array.from({ length: 8 }, () => chat(headers)))
  const texts = await Promise.all(answers.map(async (answer) => answer.text()))
  assert.equal(new Set(texts).size, 1)
  assert.equal(textOf(texts[0] ?? ''), TEXT)
  assert.equal(worker.jobs.length, 1)
})

test('a key belongs to one body', async (t) => {
  const { chat, post } = await start(t, write(TEXT))
  const headers = { 'idempotency-key': 'one' }
  await (await chat(headers)).text()
  const other = await chat(headers, { ...BODY, seed: 1 })
  assert.equal(other.status, 422)
  assert.equal(await codeOf(other), 'idempotency_key_reused')
  const path = await post('/v1/generate', BODY, {
    headers: {
      authorization: 'Bearer sb-test-key',
      'content-type': 'application/json',
      ...headers,
    },
  })
  assert.equal(path.status, 422)
})

test('an answer that was refused is not kept: a repeat tries again', async (t) => {
  let refusals = 1
  const harness = await startHarness(t, {
    script: write(TEXT),
    refuse: () =>
      refusals-- > 0
        ? {
            status: 429,
            body: JSON.stringify({
              error: { message: 'full', type: 'rate_limit_error', param: null, code: 'overloaded' },
            }),
          }
        : undefined,
  })
  const headers = {
    authorization: 'Bearer sb-test-key',
    'content-type': 'application/json',
    'idempotency-key': 'one',
  }
  assert.equal((await harness.post(CHAT, BODY, { headers })).status, 429)
  const second = await harness.post(CHAT, BODY, { headers })
  assert.equal(textOf(await second.text()), TEXT)
})

test('a refusal tells all who asked at the same moment whether to try again', async (t) => {
  const verdict = Promise.withResolvers<void>()
  const error = { message: 'full', type: 'rate_limit_error', param: null, code: 'overloaded' }
  const refusal = {
    status: 429,
    headers: { 'retry-after': '7' },
    body: JSON.stringify({ error }),
  }
  const { post } = await startHarness(t, { refuse: () => verdict.promise.then(() => refusal) })
  const headers = {
    authorization: 'Bearer sb-test-key',
    'content-type': 'application/json',
    'idempotency-key': 'one',
  }
  const asked = Promise.all([1, 2].map(() => post(CHAT, { ...BODY, stream: false }, { headers })))
  verdict.resolve()
  for (const answer of await asked) {
    const advice = ['x-should-retry', 'retry-after'].map((name) => answer.headers.get(name))
    assert.deepEqual([answer.status, ...advice], [429, 'true', '7'])
  }
})

test('a stream that failed can be read to its error, and a repeat generates anew', async (t) => {
  let failures = 1
  const { chat, resume } = await start(t, (job, answer) => {
    if (failures-- <= 0) return write(TEXT)(job, answer)
    const error = { code: 'worker_draining', message: 'going away', retryable: true } as const
    answer.send(startOf(job), ...revealsOf(job, 'The'), { type: 'error', ...error })
  })
  const headers = { 'idempotency-key': 'one' }
  const failed = await chat(headers)
  const sse = await failed.text()
  assert.match(sse, /worker_draining/)
  const id = failed.headers.get('x-setblock-stream-id') ?? ''
  const rest = await resume(id, { 'last-event-id': idsOf(sse)[0]! })
  assert.ok(sse.endsWith(await rest.text()))
  assert.equal(textOf(await (await chat(headers)).text()), TEXT)
})

test('a resumable stream goes on without its client, who comes back for the rest', async (t) => {
  const { script, half, go } = pausing()
  const { chat, resume, worker } = await start(t, script)
  const response = await chat({ 'x-setblock-resumable': 'true' })
  const id = response.headers.get('x-setblock-stream-id') ?? ''
  const reader = response.body!.getReader()
  await half
  const before = await readUntil(reader, 'The')
  await reader.cancel()
  const seen = idsOf(before.slice(0, before.lastIndexOf('\n\n')))
  go()
  const rest = await resume(id, { 'last-event-id': seen.at(-1)! })
  const ids = [...seen, ...idsOf(await rest.text())]
  const whole = await (await resume(id)).text()
  assert.deepEqual(ids, idsOf(whole))
  assert.equal(textOf(whole), TEXT)
  assert.equal(worker.jobs.length, 1)
})

test('a client that leaves ends its job, unless another reads along', async (t) => {
  const { script, half, left, go } = pausing()
  const { chat } = await start(t, script)
  const headers = { 'idempotency-key': 'one' }
  const first = await chat(headers)
  const second = await chat(headers)
  await half
  await first.body!.cancel()
  const reader = second.body!.getReader()
  await readUntil(reader, 'The')
  await reader.cancel()
  await left
  go()
})

test('a client that only asks whether a stream is there keeps it from nothing', async (t) => {
  const { script, half, left, go } = pausing()
  // So long that a reader who never reads would keep the job until the test is given up.
  const { chat, get } = await start(t, script, { stallMs: 600_000 })
  const response = await chat({ 'idempotency-key': 'one' })
  const id = response.headers.get('x-setblock-stream-id') ?? ''
  await half
  const headers = { authorization: 'Bearer sb-test-key' }
  const asked = await get(`/v1/streams/${id}`, { method: 'HEAD', headers })
  assert.equal(asked.status, 200)
  assert.match(asked.headers.get('content-type') ?? '', /^text\/event-stream/)
  await response.body!.cancel()
  await left
  go()
})

test('a stream can be ended by name, whoever reads it, and is then forgotten', async (t) => {
  const { script, half, left, go } = pausing()
  const { chat, resume, get } = await start(t, script)
  const response = await chat({ 'x-setblock-resumable': 'true' })
  const id = response.headers.get('x-setblock-stream-id') ?? ''
  await half
  const headers = { authorization: 'Bearer sb-test-key' }
  const ended = await get(`/v1/streams/${id}`, { method: 'DELETE', headers })
  assert.equal(ended.status, 204)
  await left
  go()
  assert.equal((await resume(id)).status, 404)
  const events = parseSse(await response.text())
  assert.equal(envelope.parse(events.pop()).error.code, 'aborted')
  assert.ok(events.length > 0)
  for (const event of events) chunkSchema.parse(event)
})

test('a resumable stream that nobody comes back to is ended after its grace', async (t) => {
  const { script, half, left, go } = pausing()
  const { chat, resume } = await start(t, script, { resumeGraceMs: 50 })
  const response = await chat({ 'x-setblock-resumable': 'true' })
  await half
  await response.body!.cancel()
  await left
  go()
  const id = response.headers.get('x-setblock-stream-id') ?? ''
  assert.equal(await codeOf(await resume(id)), 'stream_not_found')
})

test('what is no longer kept is said to be gone', async (t) => {
  const { chat, resume } = await start(t, write(TEXT), { streamCharactersMax: 500 })
  const response = await chat({ 'idempotency-key': 'one' })
  await response.text()
  const id = response.headers.get('x-setblock-stream-id') ?? ''
  assert.equal(await codeOf(await resume(id)), 'events_expired')
  assert.equal(await codeOf(await resume(id, { 'last-event-id': 'other-3' })), 'events_expired')
  assert.equal((await resume(id, { 'last-event-id': 'x' })).status, 400)
  assert.equal((await resume('unknown')).status, 404)
})

test('bad wishes are named', async (t) => {
  const { chat } = await start(t, write(TEXT))
  assert.equal((await chat({ 'x-setblock-resumable': 'yes' })).status, 400)
  assert.equal((await chat({ 'idempotency-key': 'x'.repeat(300) })).status, 400)
})

test('memory for kept streams is bounded: old answers make room, running ones do not', async (t) => {
  const { script, half, go } = pausing()
  const { chat, deps } = await start(t, script, { keptStreamsMax: 2 })
  const running = await chat({ 'idempotency-key': 'one' })
  const second = await chat({ 'idempotency-key': 'two' })
  await half
  assert.equal((await chat({ 'idempotency-key': 'three' })).status, 429)
  go()
  await Promise.all([running.text(), second.text()])
  const third = await chat({ 'idempotency-key': 'three' })
  assert.equal(textOf(await third.text()), TEXT)
  assert.ok(deps.limits.keptStreamsMax === 2)
})
