import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { serve, type ServerType } from '@hono/node-server'
import {
  importJobSecret,
  limits,
  parseEvents,
  sha256Hex,
  signJobToken,
  type Job,
  type JobEvent,
} from '@setblock/shared'
import { EngineClient } from '../engine-thread/engine-client.ts'
import { ServedModels } from '../models/served-models.ts'
import { openWorkerSessions } from '../sessions/worker-sessions.ts'
import { buildTinyModel, type TinyModel } from '../testing/tiny-model.ts'
import { createApp } from './app.ts'

const SECRET = 'a secret of the test, long enough to sign with'
const PREVIOUS = 'the secret before it, just as long as it has to be'
const QUEUE_MAX = 40

const makeJob = (change: Partial<Job> = {}): Job => ({
  id: `job-${Math.random().toString(36).slice(2)}`,
  model: 'golden-llama',
  tokenIds: [1, 20, 30, 40],
  maxTokens: 60,
  stopTokenIds: [],
  decoding: { mode: 'verified', gamma: 0.1, blockLength: 8, rule: 'strict' },
  sampling: { temperature: 0, topP: 1, topK: 0, seed: 1 },
  ...change,
})

describe('the worker over HTTP, with the real engine', () => {
  let model: TinyModel
  let engine: EngineClient
  let server: ServerType
  let base: string
  const ended: string[] = []

  before(async () => {
    model = await buildTinyModel()
    engine = await EngineClient.start({
      modelFolder: model.folder,
      precision: 'int8',
      threads: 1,
      spinning: false,
      engines: 1,
      runningMax: 1,
      queueLengthMax: QUEUE_MAX,
      queueWaitMsMax: 600_000,
    })
    const sessions = await openWorkerSessions({
      memoryBytesMax: 10_000_000,
      storeBytesMax: 100_000_000,
      secret: SECRET,
    })
    const app = await createApp({
      models: new ServedModels([engine]),
      sessions,
      jobSecrets: [SECRET, PREVIOUS],
      log: (_level, event, fields) => void ended.push(`${event} ${fields?.['outcome']}`),
      now: Date.now,
    })
    server = await new Promise((resolve) => {
      const listening = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, () =>
        resolve(listening),
      )
    })
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })

  after(async () => {
    await engine.drain(1000)
    server.close()
    await model.remove()
  })

  async function post(body: string, change: { token?: string; signal?: AbortSignal } = {}) {
    const key = await importJobSecret(SECRET)
    const bodySha256 = await sha256Hex(body)
    const payload = { tenant: 'acme', expiresAt: Date.now() + 10_000, bodySha256 }
    const token = change.token ?? (await signJobToken(key, payload))
    return fetch(`${base}/v1/jobs`, {
      method: 'POST',
      body,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(change.signal && { signal: change.signal }),
    })
  }

  async function events(job: Job): Promise<JobEvent[]> {
    const response = await post(JSON.stringify(job))
    assert.equal(response.status, 200)
    const seen: JobEvent[] = []
    for await (const event of parseEvents(response.body as ReadableStream<Uint8Array>))
      seen.push(event)
    return seen
  }

  test('a job streams start, reveals and end', async () => {
    const seen = await events(makeJob())
    assert.deepEqual(seen[0], {
      type: 'start',
      promptTokens: 4,
      cachedTokens: 0,
      queueMs: (seen[0] as { queueMs: number }).queueMs,
    })
    const positions = seen.flatMap((event) => (event.type === 'reveal' ? event.positions : []))
    assert.deepEqual(
      positions,
      Array.from({ length: 60 }, (_, index) => 4 + index),
    )
    const end = seen.at(-1)
    assert.equal(end?.type === 'end' && end.usage.completionTokens, 60)
  })

  test('all modes agree with themselves on a second run; verified agrees with ntp', async () => {
    const text = async (mode: Job['decoding']['mode'], temperature = 0): Promise<string> => {
      const decoding = { mode, gamma: 0.5, blockLength: 8, rule: 'strict' as const }
      const sampling = { temperature, topP: 0.9, topK: 0, seed: 5 }
      const seen = await events(makeJob({ decoding, sampling }))
      const tokens = new Map<number, number>()
      for (const event of seen) {
        if (event.type !== 'reveal') continue
        event.positions.forEach((position, i) => tokens.set(position, event.tokenIds[i]!))
      }
      return JSON.stringify([...tokens].sort(([a], [b]) => a - b))
    }
    for (const temperature of [0, 0.7]) {
      assert.equal(await text('verified', temperature), await text('ntp', temperature))
      assert.equal(await text('sbd', temperature), await text('sbd', temperature))
    }
  })

  const refusals: [string, string, number, string, string | null][] = [
    ['malformed JSON', '{', 400, 'invalid_json', null],
    [
      'a missing field',
      JSON.stringify({ ...makeJob(), maxTokens: undefined }),
      400,
      'invalid_request',
      'maxTokens',
    ],
    [
      'an unknown field',
      JSON.stringify({ ...makeJob(), beams: 2 }),
      400,
      'invalid_request',
      'beams',
    ],
    [
      'a tokenizer that is not the model’s',
      JSON.stringify(makeJob({ tokenizerSha256: '0'.repeat(64) })),
      503,
      'model_mismatch',
      'model',
    ],
    ['another model', JSON.stringify(makeJob({ model: 'other' })), 404, 'model_not_found', 'model'],
    [
      'a turn appended to no session',
      JSON.stringify(
        makeJob({
          session: {
            id: 's',
            append: { turnEndIds: [], fillContext: false },
            onDisconnect: 'rollback',
          },
        }),
      ),
      404,
      'session_not_found',
      'session',
    ],
    [
      'too long a job',
      JSON.stringify(makeJob({ maxTokens: 93 })),
      400,
      'context_length_exceeded',
      'maxTokens',
    ],
    [
      'the mask in the prompt',
      JSON.stringify(makeJob({ tokenIds: [1, 3] })),
      400,
      'invalid_request',
      'tokenIds',
    ],
    [
      'an id outside the vocabulary',
      JSON.stringify(makeJob({ tokenIds: [128] })),
      400,
      'invalid_request',
      'tokenIds',
    ],
    ['too large a body', `"${'x'.repeat(600_000)}"`, 413, 'request_too_large', null],
  ]
  for (const [name, body, status, code, param] of refusals) {
    test(`${name} is refused: ${status} ${code}`, async () => {
      const response = await post(body)
      assert.equal(response.status, status)
      const { error } = (await response.json()) as { error: { code: string; param: string | null } }
      assert.equal(error.code, code)
      assert.equal(error.param, param)
    })
  }

  test('a job token is required, and must sign this very body', async () => {
    const key = await importJobSecret(SECRET)
    const other = {
      tenant: 'acme',
      expiresAt: Date.now() + 10_000,
      bodySha256: await sha256Hex('other'),
    }
    const late = { ...other, expiresAt: Date.now() - 1, bodySha256: await sha256Hex('{}') }
    for (const token of [
      'nonsense',
      await signJobToken(key, other),
      await signJobToken(key, late),
    ]) {
      const response = await post('{}', { token })
      assert.equal(response.status, 401)
    }
    const bare = await fetch(`${base}/v1/jobs`, { method: 'POST', body: '{}' })
    assert.equal(bare.status, 401)
  })

  test('a job token is good for one request, whatever became of it', async () => {
    const key = await importJobSecret(SECRET)
    for (const [body, status] of [
      [JSON.stringify(makeJob({ maxTokens: 1 })), 200],
      ['{"no":"job"}', 400],
    ] as const) {
      const bodySha256 = await sha256Hex(body)
      const payload = { tenant: 'acme', expiresAt: Date.now() + 10_000, bodySha256 }
      const token = await signJobToken(key, payload)
      const first = await post(body, { token })
      assert.equal(first.status, status)
      await first.text()
      const second = await post(body, { token })
      assert.equal(second.status, 401)
      assert.match(await second.text(), /refused: replayed/)
    }
  })

  test('clocks may differ by half a minute, and no more', async () => {
    const key = await importJobSecret(SECRET)
    const { jobTokenLifetimeMs, clockSkewMs } = limits
    const SLACK_MS = 10_000
    for (const [aheadMs, status] of [
      [clockSkewMs - SLACK_MS, 200],
      [clockSkewMs + SLACK_MS, 401],
      [-jobTokenLifetimeMs + SLACK_MS, 200],
      [-jobTokenLifetimeMs - SLACK_MS, 401],
    ] as const) {
      const body = JSON.stringify(makeJob({ maxTokens: 1 }))
      const expiresAt = Date.now() + aheadMs + jobTokenLifetimeMs
      const payload = { tenant: 'acme', expiresAt, bodySha256: await sha256Hex(body) }
      const response = await post(body, { token: await signJobToken(key, payload) })
      assert.equal(response.status, status, `the edge is ${aheadMs} ms ahead`)
      await response.text()
    }
  })

  test('the secret before the present one is taken as well, and no other', async () => {
    const body = JSON.stringify(makeJob({ maxTokens: 1 }))
    const bodySha256 = await sha256Hex(body)
    const payload = { tenant: 'acme', expiresAt: Date.now() + 10_000, bodySha256 }
    for (const [secret, status] of [
      [SECRET, 200],
      [PREVIOUS, 200],
      ['a secret that nobody has been told, but long', 401],
    ] as const) {
      const token = await signJobToken(await importJobSecret(secret), payload)
      const response = await post(body, { token })
      assert.equal(response.status, status)
      await response.text()
    }
  })

  test('a full queue answers 429 at once, with Retry-After; all admitted jobs are served', async () => {
    const done: Promise<string>[] = []
    for (let index = 0; index <= QUEUE_MAX; index += 1) {
      done.push(
        new Promise((resolve) => {
          engine.submit(makeJob(), ({ type }) => {
            if (type === 'end' || type === 'error') resolve(type)
          })
        }),
      )
    }
    const response = await post(JSON.stringify(makeJob()))
    assert.equal(response.status, 429)
    assert.ok(Number(response.headers.get('retry-after')) >= 1)
    assert.deepEqual(new Set(await Promise.all(done)), new Set(['end']))
    assert.equal(engine.activeJobs, 0)
  })

  test('a client that leaves cancels its job', async () => {
    const waiting: Promise<unknown>[] = []
    for (let index = 0; index < QUEUE_MAX; index += 1) {
      waiting.push(events(makeJob()))
    }
    const leaver = new AbortController()
    const response = await post(JSON.stringify(makeJob()), { signal: leaver.signal })
    assert.equal(response.status, 200)
    leaver.abort()
    await Promise.all(waiting)
    while (engine.activeJobs > 0) await new Promise((resolve) => setTimeout(resolve, 5))
    assert.ok(ended.includes('job client-gone'))
  })

  test('an edge learns at /readyz whether its jobs would be taken, as often as it likes', async () => {
    const expiresAt = Date.now() + 10_000
    const payload = { tenant: '-', expiresAt, bodySha256: await sha256Hex('') }
    const ask = async (secret: string, change: Partial<typeof payload> = {}) => {
      const token = await signJobToken(await importJobSecret(secret), { ...payload, ...change })
      const headers = { authorization: `Bearer ${token}` }
      const statuses = [0, 0]
      for (const turn of statuses.keys()) {
        statuses[turn] = (await fetch(`${base}/readyz`, { headers })).status
      }
      return statuses
    }
    assert.deepEqual(await ask(SECRET), [200, 200])
    assert.deepEqual(await ask(PREVIOUS), [200, 200])
    assert.deepEqual(await ask('quite another secret, of a good length'), [401, 401])
    assert.deepEqual(await ask(SECRET, { expiresAt: Date.now() - 1 }), [401, 401])
  })

  test('health, readiness and models', async () => {
    assert.equal((await fetch(`${base}/healthz`)).status, 200)
    const ready = (await (await fetch(`${base}/readyz`)).json()) as {
      status: string
      activeJobs: number
      scheduler: Record<string, number>
    }
    assert.deepEqual([ready.status, ready.activeJobs], ['ready', 0])
    assert.deepEqual(Object.keys(ready.scheduler).sort(), [
      'cachedTokens',
      'forwards',
      'freeSequences',
      'queued',
      'rows',
      'running',
      'totals',
    ])
    const { models } = (await (await fetch(`${base}/v1/models`)).json()) as {
      models: { id: string }[]
    }
    assert.deepEqual(
      models.map(({ id }) => id),
      ['golden-llama'],
    )
    assert.equal((await fetch(`${base}/nowhere`)).status, 404)
  })
})

test('a model folder that is not there is one clear error', async () => {
  await assert.rejects(
    EngineClient.start({
      modelFolder: '/nowhere/at/all',
      precision: 'int8',
      threads: 1,
      spinning: false,
      engines: 1,
      runningMax: 1,
      queueLengthMax: 1,
    }),
    /^Error: setblock\.json: cannot be read/,
  )
})
