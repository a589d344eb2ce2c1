import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeEvent } from '@setblock/shared'
import type { JobEvent } from '@setblock/shared'
import { createPrometheusMetrics } from '../metrics/prometheus.ts'
import { closedUrl, startFakeWorker } from '../test-support/fake-worker.ts'
import type { Refusal } from '../test-support/fake-worker.ts'
import { parseSse, startHarness, staticSources, TEST_LIMITS } from '../test-support/harness.ts'
import { TINY_LOADED } from '../test-support/tiny-model.ts'
import { revealsOf, startOf, usageOf, write } from '../test-support/scripts.ts'

const PATH = '/v1/completions'
const body = { model: 'tiny', prompt: 'a' }

interface ErrorBody {
  error: { code: string; message: string; param: string | null; type: string }
}

function refusal(status: number, code: string, headers: Record<string, string> = {}): Refusal {
  const error = { message: `because ${code}`, type: 'x', param: null, code }
  return { status, headers, body: JSON.stringify({ error }) }
}

test('a full worker’s 429 keeps its advice', async (t) => {
  const { post, log } = await startHarness(t, {
    refuse: () => refusal(429, 'overloaded', { 'retry-after': '7' }),
  })
  for (const stream of [false, true]) {
    const response = await post(PATH, { ...body, stream })
    assert.equal(response.status, 429)
    assert.equal(response.headers.get('retry-after'), '7')
    assert.equal(response.headers.get('x-should-retry'), 'true')
    assert.deepEqual(await response.json(), {
      error: {
        message: 'because overloaded',
        type: 'rate_limit_error',
        param: null,
        code: 'overloaded',
      },
    })
  }
  assert.deepEqual(
    log.map((record) => record['error']),
    ['overloaded', 'overloaded'],
  )
})

test('what a worker may say reaches the client, what is between us does not', async (t) => {
  let next = refusal(400, 'unsupported_parameter')
  const { post } = await startHarness(t, { refuse: () => next })
  const cases: [Refusal, number, string][] = [
    [refusal(400, 'unsupported_parameter'), 400, 'unsupported_parameter'],
    [refusal(504, 'deadline_exceeded'), 504, 'deadline_exceeded'],
    [refusal(503, 'worker_draining'), 503, 'worker_draining'],
    [refusal(401, 'invalid_job_token'), 503, 'worker_unavailable'],
    [refusal(413, 'request_too_large'), 500, 'internal_error'],
    [{ status: 502, body: '<html>bad gateway</html>' }, 503, 'worker_unavailable'],
    [{ status: 408, body: '' }, 503, 'worker_unavailable'],
    [{ status: 404, body: '{}' }, 500, 'internal_error'],
    [{ status: 200, body: '' }, 503, 'worker_unavailable'],
    [{ status: 503, body: 'x'.repeat(100_000) }, 503, 'worker_unavailable'],
  ]
  for (const [refused, status, code] of cases) {
    next = refused
    const response = await post(PATH, body)
    const { error } = (await response.json()) as ErrorBody
    assert.deepEqual(
      [response.status, error.code],
      [status, code],
      JSON.stringify(refused).slice(0, 99),
    )
    if (code === 'internal_error') assert.doesNotMatch(error.message, /token|large/)
  }
})

test('without a worker a request gets 503, and may be tried again', async (t) => {
  const closed = await closedUrl()
  const { post, log } = await startHarness(t, { sources: () => staticSources([closed]) })
  const response = await post(PATH, { ...body, stream: true })
  assert.equal(response.status, 503)
  assert.equal(response.headers.get('x-should-retry'), 'true')
  assert.equal(((await response.json()) as ErrorBody).error.code, 'worker_unavailable')
  assert.match(String(log[0]?.['reason']), /cannot be reached: .*ECONNREFUSED/)
})

test('a worker that refuses is passed over for the next one', async (t) => {
  const full = await startFakeWorker({ refuse: () => refusal(429, 'overloaded') })
  t.after(() => full.close())
  const closed = await closedUrl()
  const { post, worker } = await startHarness(t, {
    script: write('hi'),
    sources: (own) => staticSources([closed, full.url, own]),
  })
  for (let count = 0; count < 3; count++) assert.equal((await post(PATH, body)).status, 200)
  assert.equal(worker.jobs.length, 3)
})

test('a worker that failed twice is not the first to be asked any more', async (t) => {
  let asked = 0
  const broken = await startFakeWorker({
    refuse: () => {
      asked += 1
      return { status: 502, body: '' }
    },
  })
  t.after(() => broken.close())
  const { post, worker } = await startHarness(t, {
    script: write('hi'),
    sources: (own) => staticSources([broken.url, own]),
    limits: { ...TEST_LIMITS, workerEjectMs: 3_600_000, workerEjectMsMax: 3_600_000 },
  })
  for (let count = 0; count < 10; count++) assert.equal((await post(PATH, body)).status, 200)
  assert.equal(asked, TEST_LIMITS.workerFailuresMax)
  await worker.close()
  assert.equal((await post(PATH, body)).status, 503)
  assert.equal(asked, TEST_LIMITS.workerFailuresMax + 1, 'asked last, when all others failed')
})

test('a worker cannot send the edge somewhere else', async (t) => {
  const inside = await startFakeWorker({ script: write('secrets') })
  t.after(() => inside.close())
  const { post } = await startHarness(t, {
    refuse: () => ({ status: 307, headers: { location: `${inside.url}/v1/jobs` }, body: '' }),
  })
  assert.equal((await post(PATH, body)).status, 500)
  assert.equal(inside.jobs.length, 0)
})

test('a worker that does not believe the token is passed over: its clock may be wrong', async (t) => {
  const astray = await startFakeWorker({ refuse: () => refusal(401, 'invalid_job_token') })
  t.after(() => astray.close())
  const { post, worker } = await startHarness(t, {
    script: write('hi'),
    sources: (own) => staticSources([astray.url, own]),
  })
  for (let count = 0; count < 2; count++) assert.equal((await post(PATH, body)).status, 200)
  assert.equal(worker.jobs.length, 2)
})

test('a refusal that is the request’s own fault is not tried elsewhere', async (t) => {
  let asked = 0
  const refuse = () => {
    asked += 1
    return refusal(400, 'unsupported_parameter')
  }
  const other = await startFakeWorker({ refuse })
  t.after(() => other.close())
  const { post } = await startHarness(t, {
    refuse,
    sources: (own) => staticSources([own, other.url]),
  })
  assert.equal((await post(PATH, body)).status, 400)
  assert.equal(asked, 1)
})

test('a worker that does not answer is given up in time', async (t) => {
  const { post } = await startHarness(t, {
    refuse: () => new Promise(() => undefined),
    limits: { ...TEST_LIMITS, workerAnswerMs: 60 },
  })
  assert.equal((await post(PATH, body)).status, 503)
})

test('headers do not wait for a slow worker; its refusal is then an event', async (t) => {
  const verdict = Promise.withResolvers<Refusal>()
  const { post } = await startHarness(t, {
    refuse: () => verdict.promise,
    limits: { ...TEST_LIMITS, headersGraceMs: 50 },
  })
  const response = await post('/v1/chat/completions', {
    model: 'tiny',
    messages: [{ role: 'user', content: 'a' }],
    stream: true,
  })
  assert.equal(response.status, 200)
  verdict.resolve(refusal(429, 'overloaded'))
  const payloads = parseSse(await response.text())
  assert.equal(payloads.length, 2)
  assert.deepEqual(payloads[1], {
    error: {
      message: 'because overloaded',
      type: 'rate_limit_error',
      param: null,
      code: 'overloaded',
    },
  })
})

const streamFaults: [string, string, (send: (text: string) => void, events: JobEvent[]) => void][] =
  [
    ['a torn stream', 'worker_unavailable', () => undefined],
    ['a line that is no event', 'internal_error', (send) => send('{"type":"dance"}\n')],
    ['a line that is no JSON', 'internal_error', (send) => send('nonsense\n')],
    ['a second start', 'internal_error', (send, [start]) => send(encodeEvent(start!))],
    ['an error event', 'deadline_exceeded', (send) => send(encodeEvent(deadline))],
  ]
const deadline: JobEvent = {
  type: 'error',
  code: 'deadline_exceeded',
  message: 'too late',
  retryable: true,
}

for (const [name, code, breakStream] of streamFaults) {
  test(`${name} ends a stream with one error and no [DONE]`, async (t) => {
    const { post, log, idle } = await startHarness(t, {
      script: (job, answer) => {
        const events = [startOf(job), ...revealsOf(job, 'The little boat crossed')]
        answer.send(...events)
        breakStream(answer.raw, events)
      },
    })
    const payloads = parseSse(await (await post(PATH, { ...body, stream: true })).text())
    const errors = payloads.filter((payload) => (payload as Partial<ErrorBody>).error !== undefined)
    assert.equal(errors.length, 1)
    assert.equal(payloads.at(-1), errors[0])
    assert.equal((errors[0] as ErrorBody).error.code, code)
    await idle()
    assert.equal(log[0]?.['outcome'], 'failed')
    assert.equal(log[0]?.['error'], code)

    const whole = await post(PATH, body)
    assert.equal(((await whole.json()) as ErrorBody).error.code, code)
  })
}

test('a worker that falls silent is given up; one that sends blank lines is not', async (t) => {
  const limits = { ...TEST_LIMITS, stallMs: 1_000 }
  const silent = await startHarness(t, {
    limits,
    script: async (job, answer) => {
      answer.send(startOf(job))
      await answer.left
    },
  })
  const response = await silent.post(PATH, body)
  assert.equal(response.status, 503)

  const slow = await startHarness(t, {
    limits,
    script: async (job, answer) => {
      answer.send(startOf(job))
      for (let beat = 0; beat < 13; beat++) {
        await new Promise((resolve) => setTimeout(resolve, 100))
        answer.raw('\n')
      }
      const usage = usageOf(job, 1, 1)
      answer.send(...revealsOf(job, 'a'), { type: 'end', finishReason: 'stop', usage })
    },
  })
  assert.equal((await slow.post(PATH, body)).status, 200)
})

test('a job goes to a worker that has its model, whichever is asked first', async (t) => {
  for (const code of ['model_not_found', 'model_mismatch']) {
    const without = await startFakeWorker({ refuse: () => refusal(404, code) })
    t.after(() => without.close())
    const { post, worker } = await startHarness(t, {
      script: write('hi'),
      sources: (own) => staticSources([without.url, own]),
    })
    for (const session of [undefined, undefined, 'one', 'two', 'three', 'four']) {
      assert.equal((await post(PATH, { ...body, session })).status, 200)
    }
    assert.equal(worker.jobs.length, 6)
    assert.ok(worker.jobs.every((job) => job.tokenizerSha256 === TINY_LOADED[0]?.tokenizerSha256))
  }
})

test('that a worker lacks the model hides no other reason', async (t) => {
  const without = await startFakeWorker({ refuse: () => refusal(404, 'model_not_found') })
  t.after(() => without.close())
  const { post } = await startHarness(t, {
    refuse: () => refusal(429, 'overloaded'),
    sources: (own) => staticSources([without.url, own]),
  })
  for (let count = 0; count < 2; count++) assert.equal((await post(PATH, body)).status, 429)
})

test('while its workers are full, a flood is refused before its bodies are read', async (t) => {
  let asked = 0
  const metrics = createPrometheusMetrics({ version: '1', node: 'v22' })
  const { post } = await startHarness(t, {
    refuse: () => {
      asked += 1
      return refusal(429, 'overloaded', { 'retry-after': '7' })
    },
    limits: { ...TEST_LIMITS, workerFullMs: 60_000 },
    metrics,
  })
  const first = await post(PATH, body)
  assert.equal(first.status, 429)
  for (const path of [PATH, '/v1/chat/completions', '/v1/generate']) {
    const response = await post(path, 'no JSON at all')
    assert.deepEqual([response.status, response.headers.get('retry-after')], [429, '7'])
    assert.equal(((await response.json()) as ErrorBody).error.code, 'overloaded')
  }
  assert.equal(asked, 1)
  assert.match(await metrics.text(), /^setblock_edge_jobs_withheld_total{reason="full"} 3$/m)
})

test('a model that no worker has, or only with another tokenizer, is refused as such', async (t) => {
  for (const [code, status] of [
    ['model_not_found', 404],
    ['model_mismatch', 503],
  ] as const) {
    const { post } = await startHarness(t, { refuse: () => refusal(status, code) })
    const response = await post(PATH, body)
    const { error } = (await response.json()) as ErrorBody
    assert.deepEqual([response.status, error.code], [status, code])
    assert.equal(response.headers.get('x-should-retry'), String(status === 503))
  }
})
