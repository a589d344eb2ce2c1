import type { AddressInfo } from 'node:net'
import { serve, type ServerType } from '@hono/node-server'
import {
  importJobSecret,
  parseEvents,
  sha256Hex,
  signJobToken,
  type Job,
  type JobEvent,
  type SessionAnswer,
  type SessionCall,
} from '@setblock/shared'
import { KV_BYTES_MAX_DEFAULT } from '../engine/kv-pool.ts'
import { planModels } from '../models/plan-models.ts'
import { ServedModels } from '../models/served-models.ts'
import { createApp } from '../server/app.ts'
import { openWorkerSessions, type WorkerSessions } from '../sessions/worker-sessions.ts'

const SECRET = 'a secret of the test, long enough to sign with'

export interface SessionWorkerOptions {
  readonly modelFolder: string
  /** Models beside that one. */
  readonly otherFolders?: readonly string[]
  readonly precision: 'int8' | 'fp32'
  readonly folder?: string
  readonly memoryBytesMax?: number
  readonly masterKey?: Uint8Array
  readonly runningMax?: number
}

/** A worker as a client meets it, in this process: HTTP in front of the real engine thread. */
export class SessionWorker {
  readonly sessions: WorkerSessions
  readonly models: ServedModels
  readonly #server: ServerType
  readonly #base: string

  private constructor(server: ServerType, sessions: WorkerSessions, models: ServedModels) {
    this.#server = server
    this.sessions = sessions
    this.models = models
    this.#base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  static async start(options: SessionWorkerOptions): Promise<SessionWorker> {
    const { modelFolder, otherFolders = [], precision, folder, masterKey } = options
    const { runningMax = 4 } = options
    const thread = {
      precision,
      threads: 1,
      spinning: false,
      engines: 1,
      runningMax,
      queueLengthMax: 16,
    }
    const plans = await planModels({
      modelFolders: [modelFolder, ...otherFolders],
      device: 'cpu',
      precision,
      engines: 1,
      runningMax,
      memoryBytesMax: undefined,
      kvBytesMax: KV_BYTES_MAX_DEFAULT,
    })
    const models = await ServedModels.start(plans, thread)
    const sessions = await openWorkerSessions({
      folder,
      masterKey,
      memoryBytesMax: options.memoryBytesMax ?? 10_000_000,
      storeBytesMax: 100_000_000,
      secret: SECRET,
    })
    const log = (): void => undefined
    const app = await createApp({
      models,
      sessions,
      jobSecrets: [SECRET],
      log,
      now: Date.now,
    })
    const server = await new Promise<ServerType>((resolve) => {
      const listening = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, () =>
        resolve(listening),
      )
    })
    return new SessionWorker(server, sessions, models)
  }

  async stop(): Promise<void> {
    await this.models.drain(1000)
    await this.sessions.flush()
    this.#server.close()
  }

  /** Its metrics, as Prometheus reads them. */
  async metrics(): Promise<string> {
    return (await fetch(`${this.#base}/metrics`)).text()
  }

  async post(path: string, body: object, tenant: string, signal?: AbortSignal): Promise<Response> {
    const text = JSON.stringify(body)
    const key = await importJobSecret(SECRET)
    const payload = { tenant, expiresAt: Date.now() + 10_000, bodySha256: await sha256Hex(text) }
    const token = await signJobToken(key, payload)
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    return fetch(this.#base + path, { method: 'POST', body: text, headers, signal: signal ?? null })
  }

  /** What it tells anyone who asks. */
  async get(path: string): Promise<unknown> {
    return (await fetch(this.#base + path)).json()
  }

  /** All events of a job. @throws Error with the code of a refusal */
  async run(job: Job, tenant = 'acme'): Promise<JobEvent[]> {
    const response = await this.post('/v1/jobs', job, tenant)
    await assertAccepted(response)
    const seen: JobEvent[] = []
    for await (const event of parseEvents(response.body as ReadableStream<Uint8Array>)) {
      seen.push(event)
    }
    return seen
  }

  /** @throws Error with the code of a refusal */
  async call(call: SessionCall, tenant = 'acme'): Promise<SessionAnswer> {
    const response = await this.post('/v1/sessions', call, tenant)
    await assertAccepted(response)
    return (await response.json()) as SessionAnswer
  }
}

async function assertAccepted(response: Response): Promise<void> {
  if (response.status === 200) return
  const { error } = (await response.json()) as { error: { code: string } }
  throw new Error(error.code)
}
