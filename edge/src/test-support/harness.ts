import type { TestContext } from 'node:test'
import { sha256Hex } from '@setblock/shared'
import { createApp } from '../app.ts'
import { createFileKeyStore } from '../auth/key-store.ts'
import type { EdgeDeps, LogRecord } from '../deps.ts'
import { edgeLimits } from '../limits.ts'
import type { EdgeLimits } from '../limits.ts'
import { createWorkerClient } from '../workers/worker-client.ts'
import { startFakeWorker, JOB_SECRET } from './fake-worker.ts'
import type { FakeWorker, FakeWorkerOptions } from './fake-worker.ts'
import { createTinySource } from './tiny-model.ts'

export const API_KEY = 'sb-test-key'
export const KEY_FILE = { [await sha256Hex(API_KEY)]: { tenant: 'acme', name: 'laptop' } }

/** Times short enough for tests; everything else as in production. */
export const TEST_LIMITS: EdgeLimits = {
  ...edgeLimits,
  heartbeatMs: 200,
  stallMs: 5_000,
}

export interface Harness {
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
  options: FakeWorkerOptions & { urls?: (own: string) => string[]; limits?: EdgeLimits },
): Promise<Harness> {
  const worker = await startFakeWorker(options)
  t.after(() => worker.close())
  const limits = options.limits ?? TEST_LIMITS
  const log: LogRecord[] = []
  const pumps: Promise<unknown>[] = []
  let ids = 0
  const deps: EdgeDeps = {
    models: createTinySource(),
    keys: createFileKeyStore(KEY_FILE),
    workers: createWorkerClient({
      urls: options.urls?.(worker.url) ?? [worker.url],
      secret: JOB_SECRET,
      fetch: (url, init) => fetch(url, init),
      clock: Date.now,
      limits,
    }),
    clock: Date.now,
    random: { id: () => `id${++ids}`, seed: () => 4711 },
    log: (record) => log.push(record),
    limits,
  }
  const app = createApp(deps)
  const context = {
    waitUntil: (work: Promise<unknown>) => void pumps.push(work),
    passThroughOnException: () => undefined,
    props: {},
  }
  const send = async (path: string, init: RequestInit) => app.request(path, init, {}, context)
  return {
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

export function authorized(): Record<string, string> {
  return { authorization: `Bearer ${API_KEY}` }
}

/** The payloads of an event stream in order; `[DONE]` stays as it is, comments are left out. */
export function parseSse(text: string): unknown[] {
  return text
    .split('\n\n')
    .filter((frame) => frame !== '' && !frame.startsWith(':'))
    .map((frame) => {
      const data = frame.replace(/^data: /, '')
      return data === '[DONE]' ? data : (JSON.parse(data) as unknown)
    })
}
