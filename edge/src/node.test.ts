import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import OpenAI from 'openai'
import type { LogRecord } from './deps.ts'
import type { EdgeLimits } from './limits.ts'
import { startNodeEdge } from './node.ts'
import type { NodeEdge } from './node.ts'
import { JOB_SECRET, startFakeWorker } from './test-support/fake-worker.ts'
import type { FakeWorkerOptions } from './test-support/fake-worker.ts'
import { ADMIN_KEY, API_KEY, seedTestKey, TEST_LIMITS } from './test-support/harness.ts'
import { startOf, write, writeAndWait } from './test-support/scripts.ts'
import { TINY_FOLDER } from './test-support/tiny-model.ts'

interface Setup {
  edge: NodeEdge
  log: LogRecord[]
}

/** The Node form on a fake worker, with real sockets on both sides. */
async function start(
  t: TestContext,
  script: NonNullable<FakeWorkerOptions['script']>,
  limits: Partial<EdgeLimits> = {},
): Promise<Setup> {
  const folder = await mkdtemp(path.join(tmpdir(), 'setblock-edge-'))
  const databaseFile = path.join(folder, 'edge.sqlite')
  await seedTestKey(databaseFile)
  const worker = await startFakeWorker({ script })
  const log: LogRecord[] = []
  const edge = await startNodeEdge({
    env: {
      GPU_WORKERS: worker.url,
      SETBLOCK_JOB_SECRET: JOB_SECRET,
      SETBLOCK_ADMIN_KEY: ADMIN_KEY,
      SETBLOCK_DATABASE: databaseFile,
      SETBLOCK_MODEL: TINY_FOLDER,
      SETBLOCK_EDGE_PORT: '0',
      SETBLOCK_METRICS_PORT: '0',
    },
    log: (record) => log.push(record),
    limits: { ...TEST_LIMITS, drainMs: 1_000, ...limits },
  })
  t.after(async () => {
    await edge.close()
    await worker.close()
    await rm(folder, { recursive: true })
  })
  return { edge, log }
}

function createClient({ edge }: Setup): OpenAI {
  return new OpenAI({ apiKey: API_KEY, baseURL: `${edge.url}/v1`, maxRetries: 0 })
}

const messages = [{ role: 'user' as const, content: 'hi' }]

test('the OpenAI client reads whole answers and streams', async (t) => {
  const client = createClient(await start(t, write('Ein kleiner Hund läuft 🎉')))
  const whole = await client.chat.completions.create({ model: 'tiny', messages })
  assert.equal(whole.choices[0]?.message.content, 'Ein kleiner Hund läuft 🎉')
  const stream = await client.chat.completions.create({
    model: 'tiny',
    messages,
    stream: true,
    stream_options: { include_usage: true },
  })
  let text = ''
  let total = 0
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? ''
    total += chunk.usage?.total_tokens ?? 0
  }
  assert.equal(text, 'Ein kleiner Hund läuft 🎉')
  assert.equal(total, whole.usage?.total_tokens)
  const models = await client.models.list()
  assert.deepEqual(
    models.data.map(({ id }) => id),
    ['tiny'],
  )
})

test('metrics are on a port of their own, and not on the one that the public reaches', async (t) => {
  const { edge } = await start(t, write('hi'))
  const { origin } = new URL(edge.metricsUrl ?? '')
  assert.notEqual(origin, edge.url)
  await fetch(`${edge.url}/healthz`)
  const text = await (await fetch(`${origin}/metrics`)).text()
  assert.match(
    text,
    /^setblock_edge_requests_total\{route="\/healthz",method="GET",status="200"\} 1$/m,
  )
  assert.equal((await fetch(`${origin}/`)).status, 404)
  assert.equal((await fetch(`${edge.url}/metrics`)).status, 404)
})

test('the OpenAI client throws the errors we send, in a stream too', async (t) => {
  const setup = await start(t, (job, answer) => {
    const error = { code: 'worker_draining', message: 'going away', retryable: true } as const
    answer.send(startOf(job), { type: 'error', ...error })
  })
  const client = createClient(setup)
  await assert.rejects(client.chat.completions.create({ model: 'no', messages }), {
    status: 404,
    code: 'model_not_found',
    param: 'model',
  })
  const stream = await client.chat.completions.create({ model: 'tiny', messages, stream: true })
  await assert.rejects(
    async () => {
      for await (const chunk of stream) assert.ok(chunk.choices)
    },
    { code: 'worker_draining' },
  )
})

test('headers and the first chunk are there before the worker has begun', async (t) => {
  const setup = await start(t, async (_job, answer) => {
    await answer.left
  })
  const abort = new AbortController()
  const response = await fetch(`${setup.edge.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'tiny', messages, stream: true }),
    signal: abort.signal,
  })
  const { value } = await response.body!.getReader().read()
  assert.match(new TextDecoder().decode(value), /"role":"assistant"/)
  abort.abort()
})

/** A client that can leave in more ways than `fetch` can. */
function post(url: string, body: object): { socket: Socket; until(text: RegExp): Promise<void> } {
  const { hostname, port } = new URL(url)
  const json = JSON.stringify(body)
  const socket = connect(Number(port), hostname)
  let received = ''
  socket.on('error', () => undefined)
  socket.on('data', (chunk) => (received += chunk.toString()))
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: edge\r\nauthorization: Bearer ${API_KEY}\r\n` +
      `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(json)}\r\n\r\n${json}`,
  )
  async function until(text: RegExp): Promise<void> {
    while (!text.test(received)) await new Promise((resolve) => socket.once('data', resolve))
  }
  return { socket, until }
}

const LEAVE = {
  'closes its connection': (socket: Socket) => socket.destroy(),
  'resets its connection': (socket: Socket) => socket.resetAndDestroy(),
}

for (const [how, leave] of Object.entries(LEAVE)) {
  test(`a client that ${how} mid-stream ends its job`, async (t) => {
    const left = Promise.withResolvers<void>()
    const setup = await start(t, writeAndWait('The little boat', left.resolve))
    const client = post(setup.edge.url, { model: 'tiny', messages, stream: true })
    await client.until(/boat/)
    leave(client.socket)
    await left.promise
    await setup.edge.close()
    assert.equal(setup.log.length, 1)
    assert.equal(setup.log[0]?.['outcome'], 'client-gone')
    assert.equal(setup.log[0]?.['error'], 'aborted')
  })

  test(`a client that ${how} while it waits for a whole answer ends its job`, async (t) => {
    const left = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const setup = await start(t, async (job, answer) => {
      begun.resolve()
      await writeAndWait('The little boat', left.resolve)(job, answer)
    })
    const client = post(setup.edge.url, { model: 'tiny', messages })
    await begun.promise
    leave(client.socket)
    await left.promise
    await setup.edge.close()
    assert.equal(setup.log[0]?.['status'], 499)
  })
}

const FOR_EVER_MS = 2 ** 30

test('a connection that never asks holds up no stop', async (t) => {
  const { edge } = await start(t, write('hi'), { drainMs: FOR_EVER_MS })
  const silent = connect(Number(new URL(edge.url).port), '127.0.0.1')
  await once(silent, 'connect')
  // An answer to somebody else: the server knows of the silent one by now.
  await (await fetch(`${edge.url}/healthz`)).text()
  const closed = once(silent.resume(), 'close')
  await edge.close()
  await closed
})

test('who sends a request drop by drop is cut off, in the headers and in the body', async (t) => {
  const DROP_MS = 20
  const { edge } = await start(t, write('hi'), { requestHeadersMs: 200, requestMs: 400 })
  const head = 'POST /v1/completions HTTP/1.1\r\nhost: edge\r\n'
  for (const first of [head, `${head}content-length: 1000\r\n\r\n`]) {
    const socket = connect(Number(new URL(edge.url).port), '127.0.0.1')
    socket.setEncoding('utf8').write(first)
    const dropping = setInterval(() => socket.write('x'), DROP_MS)
    socket.on('error', () => undefined)
    let answer = ''
    socket.on('data', (text: string) => (answer += text))
    await once(socket, 'close')
    clearInterval(dropping)
    assert.match(answer, /^HTTP\/1.1 (?:408|401)/)
  }
})

test('usage records older than SETBLOCK_USAGE_DAYS are gone after a start', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'setblock-edge-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = path.join(folder, 'edge.sqlite')
  await seedTestKey(file)
  const count = 'SELECT group_concat(id) AS ids FROM usage_records'
  const database = new DatabaseSync(file)
  const insert = database.prepare(
    "INSERT INTO usage_records VALUES (?, ?, 'acme', 'key-test', 'tiny', 'ntp', 'done', 1, 1, 1, 1)",
  )
  const DAY_MS = 24 * 3600 * 1000
  for (const days of [0, 31, 33]) insert.run(`${days}-days`, Date.now() - days * DAY_MS)
  const edge = await startNodeEdge({
    env: {
      GPU_WORKERS: 'http://127.0.0.1:1',
      SETBLOCK_JOB_SECRET: JOB_SECRET,
      SETBLOCK_ADMIN_KEY: ADMIN_KEY,
      SETBLOCK_DATABASE: file,
      SETBLOCK_MODEL: TINY_FOLDER,
      SETBLOCK_EDGE_PORT: '0',
      SETBLOCK_USAGE_DAYS: '32',
    },
    log: () => undefined,
  })
  await edge.close()
  assert.deepEqual({ ...database.prepare(count).get() }, { ids: '0-days,31-days' })
  database.close()
})

test('a bad environment is named before anything starts', async () => {
  const start = (env: Record<string, string>) => startNodeEdge({ env, log: () => undefined })
  const good = {
    GPU_WORKERS: 'http://127.0.0.1:1',
    SETBLOCK_JOB_SECRET: JOB_SECRET,
    SETBLOCK_ADMIN_KEY: ADMIN_KEY,
    SETBLOCK_DATABASE: ':memory:',
    SETBLOCK_MODEL: TINY_FOLDER,
  }
  await assert.rejects(start({}), /GPU_WORKERS: must be set/)
  await assert.rejects(start({ ...good, GPU_WORKERS: 'ftp://x' }), /GPU_WORKERS/)
  await assert.rejects(
    start({ ...good, SETBLOCK_JOB_SECRET: 'short' }),
    /SETBLOCK_JOB_SECRET: must/,
  )
  for (const [name, wrong] of [
    ['SETBLOCK_EDGE_PORT', '99999'],
    ['SETBLOCK_EDGE_PORT', ''],
    ['SETBLOCK_METRICS_PORT', ''],
    ['SETBLOCK_USAGE_DAYS', '31'],
    ['SETBLOCK_USAGE_DAYS', ''],
  ] as const) {
    const message = new RegExp(`^${name}: must be a whole number from \\d+ to \\d+$`)
    await assert.rejects(start({ ...good, [name]: wrong }), { message })
  }
  await assert.rejects(
    start({ ...good, SETBLOCK_EDGE_HOST: '' }),
    /^ApiError: SETBLOCK_EDGE_HOST: must not be empty$/,
  )
  await assert.rejects(start({ ...good, SETBLOCK_ADMIN_KEY: 'short' }), /SETBLOCK_ADMIN_KEY: must/)
  await assert.rejects(
    start({ ...good, SETBLOCK_CORS_ORIGINS: 'https://a.example/path' }),
    /SETBLOCK_CORS_ORIGINS.*must be an origin/,
  )
  await assert.rejects(
    start({ ...good, SETBLOCK_DATABASE: '/dev/null/edge.sqlite' }),
    /SETBLOCK_DATABASE: cannot open \/dev\/null\/edge\.sqlite: ./,
  )
  await assert.rejects(
    start({ ...good, SETBLOCK_ADDRESS_HEADER: 'x forwarded' }),
    /SETBLOCK_ADDRESS_HEADER: must be the name of a header/,
  )
  await assert.rejects(
    start({ ...good, SETBLOCK_MODEL: '/nowhere' }),
    /SETBLOCK_MODEL: .*\/nowhere/,
  )
})

test('a port in use is named, and nothing goes on listening without it', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port: taken } = other.address() as AddressInfo
  const free = createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const { port } = free.address() as AddressInfo
  await new Promise((resolve) => free.close(resolve))
  const env = {
    GPU_WORKERS: 'http://127.0.0.1:1',
    SETBLOCK_JOB_SECRET: JOB_SECRET,
    SETBLOCK_ADMIN_KEY: ADMIN_KEY,
    SETBLOCK_DATABASE: ':memory:',
    SETBLOCK_MODEL: TINY_FOLDER,
    SETBLOCK_EDGE_PORT: String(port),
    SETBLOCK_METRICS_PORT: String(taken),
  }
  const start = (change: Record<string, string>) =>
    startNodeEdge({ env: { ...env, ...change }, log: () => undefined })
  const told = new RegExp(`_PORT: cannot listen on port ${taken} of 127.0.0.1: the port is in use$`)
  await assert.rejects(start({}), told)
  await assert.rejects(start({ SETBLOCK_EDGE_PORT: String(taken) }), told)
  await assert.rejects(fetch(`http://127.0.0.1:${port}/healthz`))
  other.close()
})
