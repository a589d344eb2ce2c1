import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import { sha256Hex } from '@setblock/shared'
import { createApp } from '../app.ts'
import { assembleDeps } from '../assemble.ts'
import type { ApiKey } from '../auth/api-key.ts'
import { createKeyStore } from '../auth/key-store.ts'
import type { EdgeDeps, LogRecord } from '../deps.ts'
import { edgeLimits } from '../limits.ts'
import type { EdgeLimits } from '../limits.ts'
import type { EdgeMetrics } from '../metrics/edge-metrics.ts'
import { createMemoryMeter } from '../metering/memory-meter.ts'
import type { PageFile } from '../page/page-source.ts'
import { createSqliteDatabase, migrateSqlite } from '../storage/database.ts'
import type { Database } from '../storage/database.ts'
import { StreamHub } from '../streams/stream-hub.ts'
import { createMemoryRegistry } from '../workers/worker-registry.ts'
import type { WorkerSource } from '../workers/worker-sources.ts'
import { startFakeWorker, JOB_SECRET } from './fake-worker.ts'
import type { FakeWorker, FakeWorkerOptions } from './fake-worker.ts'
import { createTinySource } from './tiny-model.ts'

export const API_KEY = 'sb-test-key'
export const ADMIN_KEY = 'the-operator-secret-of-the-tests-only'

/** The key behind API_KEY; its bounds are beyond what a test can reach. */
export const TEST_KEY: ApiKey = {
  id: 'key-test',
  prefix: API_KEY.slice(0, 6),
  tenant: 'acme',
  name: 'laptop',
  scopes: ['generate', 'usage', 'tokens'],
  allowance: {
    requestsPerMinute: edgeLimits.requestsPerMinuteMax,
    tokensPerMinute: edgeLimits.tokensPerMinuteMax,
    tokensPerMonth: null,
  },
  createdAt: 0,
  expiresAt: null,
  revokedAt: null,
}

/** Times short enough for tests; everything else as in production. */
export const TEST_LIMITS: EdgeLimits = {
  ...edgeLimits,
  heartbeatMs: 200,
  stallMs: 5_000,
  workerFullMs: 0,
}

const MIGRATIONS = path.join(import.meta.dirname, '../../migrations')

/** A database as a deployment has it, in memory, that holds only the test key. */
export async function openTestDatabase(): Promise<Database> {
  return fill(new DatabaseSync(':memory:'))
}

/** The same in a file. */
export async function seedTestKey(file: string): Promise<void> {
  const handle = new DatabaseSync(file)
  await fill(handle)
  handle.close()
}

async function fill(handle: DatabaseSync): Promise<Database> {
  const files = readdirSync(MIGRATIONS).sort()
  migrateSqlite(
    handle,
    files.map((file) => readFileSync(path.join(MIGRATIONS, file), 'utf8')),
  )
  const database = createSqliteDatabase(handle)
  await createKeyStore(database).create(TEST_KEY, await sha256Hex(API_KEY))
  return database
}

export interface Harness {
  readonly deps: EdgeDeps
  /** POSTs JSON (or text as it is) with the test key. */
  post: (path: string, body: unknown, init?: RequestInit) => Promise<Response>
  get: (path: string, init?: RequestInit) => Promise<Response>
  readonly worker: FakeWorker
  readonly log: LogRecord[]
  /** Resolves when all pumps handed to the platform are over. */
  idle: () => Promise<void>
}

/** The app on a fake worker, without a server in front. */
export async function startHarness(
  t: TestContext,
  options: FakeWorkerOptions & {
    /** By default the fake worker alone. */
    sources?: (own: string) => WorkerSource[]
    limits?: EdgeLimits
    change?: (deps: EdgeDeps) => EdgeDeps
    clock?: () => number
    metrics?: EdgeMetrics
    page?: Readonly<Record<string, PageFile>>
  },
): Promise<Harness> {
  const worker = await startFakeWorker(options)
  t.after(() => worker.close())
  const { limits = TEST_LIMITS, clock = Date.now } = options
  const log: LogRecord[] = []
  const pumps: Promise<unknown>[] = []
  let ids = 0
  const assembled = assembleDeps({
    models: createTinySource(),
    page: { read: (file) => Promise.resolve(options.page?.[file]) },
    config: {
      workers: {
        sources: options.sources?.(worker.url) ?? staticSources([worker.url]),
        hosts: ['127.0.0.1'],
        secret: JOB_SECRET,
      },
      adminKey: ADMIN_KEY,
      corsOrigins: [],
      usageDays: limits.usageKeptDaysDefault,
    },
    database: await openTestDatabase(),
    fetch: (url, init) => fetch(url, init),
    createRegistry: () => createMemoryRegistry({ clock, limits }),
    createDnsDirectory: ({ host }) => {
      throw new Error(`${host}: no names in these tests`)
    },
    createMeter: () => createMemoryMeter({ clock, monthTokens: async () => 0, metersMax: 100 }),
    homes: { kind: 'here', hub: new StreamHub({ clock, limits }), placeHeader: undefined },
    log: (record) => log.push(record),
    limits,
    clock,
    ...(options.metrics && { metrics: options.metrics }),
  })
  const repeatable = { ...assembled, random: { id: () => `id${++ids}`, seed: () => 4711 } }
  const deps = options.change?.(repeatable) ?? repeatable
  const app = createApp(deps)
  const context = {
    waitUntil: (work: Promise<unknown>) => void pumps.push(work),
    passThroughOnException: () => undefined,
    props: {},
  }
  const send = async (path: string, init: RequestInit) => app.request(path, init, {}, context)
  return {
    deps,
    worker,
    log,
    get: (path, init = {}) => send(path, { headers: authorized(), ...init }),
    post: (path, body, init = {}) =>
      send(path, {
        method: 'POST',
        headers: { ...authorized(), 'content-type': 'application/json' },
        body: typeof body === 'string' ? body : JSON.stringify(body),
        ...init,
      }),
    idle: async () => void (await Promise.all(pumps)),
  }
}

/** Workers that are listed. */
export const staticSources = (urls: readonly string[]): WorkerSource[] =>
  urls.map((url) => ({ kind: 'static', url }))

export function authorized(): Record<string, string> {
  return { authorization: `Bearer ${API_KEY}` }
}

/** The payloads of an event stream in order; `[DONE]` stays as it is, comments are left out. */
export function parseSse(text: string): unknown[] {
  return text
    .split('\n\n')
    .filter((frame) => frame !== '' && !frame.startsWith(':'))
    .map((frame) => {
      const data = /^data: (.*)$/m.exec(frame)?.[1] ?? ''
      return data === '[DONE]' ? data : (JSON.parse(data) as unknown)
    })
}
