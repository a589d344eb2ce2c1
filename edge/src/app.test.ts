import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closedUrl } from './test-support/fake-worker.ts'
import { authorized, startHarness, staticSources } from './test-support/harness.ts'
import { write } from './test-support/scripts.ts'

async function errorOf(response: Response) {
  const { error } = (await response.json()) as {
    error: { code: string; type: string; param: string | null; message: string }
  }
  return error
}

test('models are listed and described', async (t) => {
  let nowMs = 1_700_000_000_999
  const { get } = await startHarness(t, { clock: () => nowMs })
  const tiny = {
    id: 'tiny',
    object: 'model',
    created: 1_700_000_000,
    owned_by: 'setblock',
    name: 'Tiny test model (a tokenizer, no weights)',
    context_length: 128,
    max_block_length: 16,
    defaults: { mode: 'verified', gamma: 0.35, rule: 'strict', block_length: 8, temperature: 0 },
  }
  assert.deepEqual(await (await get('/v1/models')).json(), { object: 'list', data: [tiny] })
  nowMs += 60_000
  assert.deepEqual(await (await get('/v1/models/tiny')).json(), tiny)
  const missing = await get('/v1/models/other')
  assert.equal(missing.status, 404)
  assert.equal((await errorOf(missing)).code, 'model_not_found')
})

test('alive and ready are different questions, and need no key', async (t) => {
  const closed = await closedUrl()
  const { get } = await startHarness(t, { sources: (own) => staticSources([closed, own]) })
  const open = { headers: {} }
  assert.equal((await get('/', open)).status, 200)
  assert.deepEqual(await (await get('/healthz', open)).json(), { status: 'ok' })
  const ready = await get('/readyz', open)
  assert.equal(ready.status, 200)
  assert.deepEqual(await ready.json(), {
    status: 'ready',
    workers: { ready: 1, refused: 0, total: 2 },
  })
})

test('an edge without a ready worker is not ready', async (t) => {
  const { get } = await startHarness(t, { ready: false })
  const response = await get('/readyz')
  assert.equal(response.status, 503)
  assert.deepEqual(await response.json(), {
    status: 'not-ready',
    workers: { ready: 0, refused: 0, total: 1 },
  })
})

test('an edge whose jobs a worker would refuse is not ready, and says so', async (t) => {
  const { get } = await startHarness(t, { secret: 'another secret, as long as it has to be' })
  const response = await get('/readyz')
  assert.equal(response.status, 503)
  assert.deepEqual(await response.json(), {
    status: 'not-ready',
    workers: { ready: 0, refused: 1, total: 1 },
  })
})

test('a request without a key that is known gets 401', async (t) => {
  const { get } = await startHarness(t, {})
  const cases: [string | undefined, string][] = [
    [undefined, 'missing_api_key'],
    ['Basic abc', 'missing_api_key'],
    ['Bearer ', 'missing_api_key'],
    ['Bearer nope', 'invalid_api_key'],
    [`Bearer ${'x'.repeat(300)}`, 'invalid_api_key'],
  ]
  for (const [authorization, code] of cases) {
    const response = await get('/v1/models', {
      headers: authorization === undefined ? {} : { authorization },
    })
    assert.equal(response.status, 401)
    assert.equal(response.headers.get('www-authenticate'), 'Bearer')
    const error = await errorOf(response)
    assert.equal(error.code, code)
    assert.equal(error.type, 'authentication_error')
  }
})

test('unknown paths get 404, wrong methods 405 with the right ones', async (t) => {
  const { get } = await startHarness(t, {})
  const missing = await get('/v2/models')
  assert.equal(missing.status, 404)
  assert.deepEqual(await missing.json(), {
    error: {
      message: 'there is nothing at this path',
      type: 'not_found_error',
      param: null,
      code: 'not_found',
    },
  })
  const wrong = await get('/v1/chat/completions')
  assert.equal(wrong.status, 405)
  assert.equal(wrong.headers.get('allow'), 'POST')
  assert.equal((await errorOf(wrong)).code, 'method_not_allowed')
  const deleted = await get('/v1/models/tiny', { method: 'DELETE', headers: authorized() })
  assert.equal(deleted.status, 405)
  assert.equal(deleted.headers.get('allow'), 'GET, HEAD')
})

test('every answer carries a request id: the caller’s if it is harmless', async (t) => {
  const { get } = await startHarness(t, {})
  const withId = (id: string, name = 'x-request-id') =>
    get('/v1/models', { headers: { ...authorized(), [name]: id } })
  assert.equal((await withId('abc-1')).headers.get('x-request-id'), 'abc-1')
  assert.equal((await withId('b', 'x-client-request-id')).headers.get('x-request-id'), 'b')
  assert.match((await withId('a b')).headers.get('x-request-id') ?? '', /^req-id\d$/)
  assert.match((await withId('x'.repeat(200))).headers.get('x-request-id') ?? '', /^req-id\d$/)
  assert.match((await get('/nowhere')).headers.get('x-request-id') ?? '', /^req-id\d$/)
})

test('the log tells a path by its pattern, and so no name of a session', async (t) => {
  const { get, log } = await startHarness(t, {})
  await get('/v1/sessions/canary-session')
  await get('/canary-path?canary=1')
  assert.deepEqual(
    log.map((record) => record['route']),
    ['/v1/sessions/:id', 'other'],
  )
  assert.doesNotMatch(JSON.stringify(log), /canary/)
})

test('the log has one line a request, without prompt, output or key', async (t) => {
  const { post, log, idle } = await startHarness(t, { script: write('secretoutput') })
  const messages = [{ role: 'user', content: 'secretprompt' }]
  await post('/v1/chat/completions', { model: 'tiny', messages })
  const streamed = await post('/v1/chat/completions', { model: 'tiny', messages, stream: true })
  await streamed.text()
  await post('/v1/chat/completions', '{"secretprompt')
  await idle()
  assert.equal(log.length, 3)
  const [whole, stream, broken] = log
  for (const record of [whole, stream]) {
    assert.equal(record?.['event'], 'request')
    assert.equal(record?.['tenant'], 'acme')
    assert.equal(record?.['key'], 'laptop')
    assert.equal(record?.['finishReason'], 'stop')
    assert.equal(record?.['status'], 200)
  }
  assert.equal(stream?.['outcome'], 'done')
  assert.equal(broken?.['error'], 'invalid_json')
  assert.doesNotMatch(JSON.stringify(log), /secret|sb-test-key/)
})
