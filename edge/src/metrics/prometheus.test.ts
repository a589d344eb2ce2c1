import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { FakeWorkerOptions } from '../test-support/fake-worker.ts'
import { startHarness } from '../test-support/harness.ts'
import { startOf, write } from '../test-support/scripts.ts'
import { createPrometheusMetrics } from './prometheus.ts'

const CHAT = '/v1/chat/completions'
const body = { model: 'tiny', messages: [{ role: 'user', content: 'canary words' }] }
const POSTS = 'setblock_edge_requests_total{route="/v1/chat/completions",method="POST"'

async function startMetered(t: TestContext, options: FakeWorkerOptions) {
  const metrics = createPrometheusMetrics({ version: '1.2.3', node: 'v22' })
  const harness = await startHarness(t, { ...options, metrics })
  const series = async (): Promise<Map<string, number>> => {
    const text = await metrics.text()
    const lines = text.split('\n').filter((line) => line.startsWith('setblock_'))
    return new Map(
      lines.map((line) => {
        const space = line.lastIndexOf(' ')
        return [line.slice(0, space), Number(line.slice(space + 1))]
      }),
    )
  }
  return { ...harness, metrics, series }
}

test('requests are counted by the route they matched, answers by how they ended', async (t) => {
  const { post, get, idle, series } = await startMetered(t, { script: write('two words') })
  await (await post(CHAT, body)).text()
  await (await post(CHAT, { ...body, stream: true })).text()
  await get('/v1/sessions/canary-session')
  await get('/canary-path')
  await idle()
  const counts = await series()
  assert.equal(counts.get(`${POSTS},status="200"}`), 2)
  assert.equal(
    counts.get('setblock_edge_requests_total{route="other",method="GET",status="404"}'),
    1,
  )
  assert.equal(counts.get('setblock_edge_streams_total{kind="answer",outcome="done"}'), 1)
  assert.equal(counts.get('setblock_edge_streams_open{kind="answer"}'), 0)
  const first = 'setblock_edge_time_to_first_token_seconds_count{model="tiny",mode="verified"}'
  assert.equal(counts.get(first), 2)
  assert.ok((counts.get('setblock_edge_worker_answers_total{code="ok"}') ?? 0) >= 2)
})

test('failures are counted by code: before the headers, and inside a stream', async (t) => {
  const failing: FakeWorkerOptions['script'] = (job, answer) => {
    const error = { code: 'worker_draining', message: 'going', retryable: true } as const
    answer.send(startOf(job), { type: 'error', ...error })
  }
  const { post, idle, series } = await startMetered(t, { script: failing })
  await (await post(CHAT, { ...body, stream: true })).text()
  await post(CHAT, { ...body, model: 'canary-model' })
  await idle()
  const counts = await series()
  assert.equal(counts.get('setblock_edge_errors_total{code="worker_draining"}'), 1)
  assert.equal(counts.get('setblock_edge_errors_total{code="model_not_found"}'), 1)
  assert.equal(counts.get('setblock_edge_streams_total{kind="answer",outcome="failed"}'), 1)
  assert.equal(counts.get(`${POSTS},status="404"}`), 1)
})

test('a kept answer and each of its readers are streams of their own kind', async (t) => {
  const { post, idle, series } = await startMetered(t, { script: write('again') })
  const init = { headers: { authorization: 'Bearer sb-test-key', 'idempotency-key': 'canary' } }
  const headers = { ...init.headers, 'content-type': 'application/json' }
  for (const _ of [1, 2]) await (await post(CHAT, { ...body, stream: true }, { headers })).text()
  await idle()
  const counts = await series()
  assert.equal(counts.get('setblock_edge_streams_total{kind="answer",outcome="done"}'), 1)
  assert.equal(counts.get('setblock_edge_streams_total{kind="reader",outcome="done"}'), 2)
  assert.equal(counts.get(`${POSTS},status="200"}`), 2)
})

test('the metrics say nothing of who asked for what', async (t) => {
  const { post, metrics } = await startMetered(t, { script: write('canary answer') })
  await (await post(`${CHAT}?canary`, { ...body, session: 'canary-session' })).text()
  await (await post(CHAT, body, { method: 'CANARY' })).text()
  assert.doesNotMatch(await metrics.text(), /canary|acme|key-test/i)
})
