import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { importJobSecret, signAnnouncement } from '@setblock/shared'
import type { WorkerAnnouncement } from '@setblock/shared'
import { JOB_SECRET } from '../test-support/fake-worker.ts'
import { startHarness, TEST_LIMITS } from '../test-support/harness.ts'
import { write } from '../test-support/scripts.ts'

const PATH = '/internal/workers'

async function start(t: TestContext, limits = {}) {
  const harness = await startHarness(t, {
    script: write('hi'),
    sources: () => [{ kind: 'registry' }],
    limits: { ...TEST_LIMITS, ...limits },
  })
  async function send(body: string, signature: string | undefined) {
    const headers: Record<string, string> = { 'content-type': 'application/json' }
    if (signature !== undefined) headers['authorization'] = `Bearer ${signature}`
    const response = await harness.post(PATH, body, { headers })
    return { status: response.status, body: (await response.json()) as Answer }
  }
  let sent = Date.now()
  async function announce(change: Partial<WorkerAnnouncement> & { [other: string]: unknown } = {}) {
    sent += 1
    const { url } = harness.worker
    const body = JSON.stringify({ url, state: 'ready', models: ['tiny'], sentAt: sent, ...change })
    return send(body, await signAnnouncement(await importJobSecret(JOB_SECRET), body))
  }
  const complete = async (): Promise<number> =>
    (await harness.post('/v1/completions', { model: 'tiny', prompt: 'a' })).status
  return { ...harness, send, announce, complete }
}

interface Answer {
  leaseMs?: number
  error?: { code: string; param: string | null; message: string }
}

test('a worker that announces itself gets jobs, until it leaves', async (t) => {
  const { announce, complete, get, log } = await start(t)
  assert.equal(await complete(), 503)
  assert.deepEqual(await announce(), { status: 200, body: { leaseMs: TEST_LIMITS.workerLeaseMs } })
  assert.equal((await get('/readyz')).status, 200)
  assert.equal(await complete(), 200)
  await announce()
  await announce({ state: 'leaving' })
  assert.equal(await complete(), 503)
  const changes = log.filter(({ route }) => route === PATH).map(({ outcome }) => outcome)
  assert.deepEqual(changes, ['joined', 'left'], 'a renewal is not worth a line')
})

test('a worker is not asked for models that it does not have', async (t) => {
  const { announce, complete, worker } = await start(t)
  await announce({ models: ['another'] })
  assert.equal(await complete(), 503)
  assert.equal(worker.jobs.length, 0)
})

test('only what the job secret signed is believed', async (t) => {
  const { send, announce, complete } = await start(t)
  const body = JSON.stringify({ url: 'http://127.0.0.1:1', state: 'ready', models: [], sentAt: 1 })
  const other = await importJobSecret('another secret that is long enough, too')
  for (const signature of [undefined, 'nonsense', await signAnnouncement(other, body)]) {
    const answer = await send(body, signature)
    assert.deepEqual([answer.status, answer.body.error?.code], [401, 'invalid_job_token'])
  }
  const late = await announce({ sentAt: Date.now() - TEST_LIMITS.clockSkewMs - 1 })
  assert.deepEqual([late.status, late.body.error?.code], [401, 'invalid_job_token'])
  assert.equal(await complete(), 503)
})

const refused: [name: string, change: Record<string, unknown>, param: string][] = [
  ['a host that is not allowed', { url: 'http://169.254.169.254' }, 'url'],
  ['an address with a path', { url: 'http://127.0.0.1/admin' }, 'url'],
  ['an address with a password', { url: 'http://a:b@127.0.0.1' }, 'url'],
  ['another protocol', { url: 'file:///etc/passwd' }, 'url'],
  ['too many models', { models: Array.from({ length: 17 }, (_, index) => `m${index}`) }, 'models'],
  ['an unknown state', { state: 'busy' }, 'state'],
  ['an unknown field', { weight: 3 }, 'weight'],
]
for (const [name, change, param] of refused) {
  test(`${name} is refused by name, though it is signed`, async (t) => {
    const { announce } = await start(t)
    const { status, body } = await announce(change)
    assert.deepEqual([status, body.error?.code, body.error?.param], [400, 'invalid_request', param])
  })
}

test('there is an end to the workers, and to what one may say', async (t) => {
  const { announce, send } = await start(t, { workersMax: 1 })
  assert.equal((await announce()).status, 200)
  const second = await announce({ url: 'http://127.0.0.1:1' })
  assert.deepEqual([second.status, second.body.error?.code], [429, 'overloaded'])
  const huge = await send('x'.repeat(TEST_LIMITS.announcementBytesMax + 1), 'any')
  assert.equal(huge.status, 413)
})

test('without a registry there is no such path', async (t) => {
  const { post } = await startHarness(t, {})
  assert.equal((await post(PATH, '{}')).status, 404)
})
