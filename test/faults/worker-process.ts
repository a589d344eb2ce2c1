import path from 'node:path'
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
import { repository } from '../../scripts/start/services.ts'
import { ServiceProcess } from './service-process.ts'

export const JOB_SECRET = 'a secret of the fault suite, long enough to sign with'

export interface WorkerProcessOptions {
  readonly modelFolder: string
  readonly precision?: 'int8' | 'fp32'
  /** Where its sessions are; without it nothing outlives the process. */
  readonly folder?: string
  readonly memoryMb?: number
  readonly diskMb?: number
  /** Added to its environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Options of Node itself. */
  readonly nodeArgs?: readonly string[]
}

/** Answered before the first event, or the connection broke: the code, or `unreachable`. */
export class Refused extends Error {
  readonly code: string

  constructor(code: string) {
    super(code)
    this.code = code
  }
}

/** A worker as it runs in production: its own process, met over HTTP. */
export class WorkerProcess {
  readonly #service: ServiceProcess
  /** Where it answers; no trailing slash. */
  readonly url: string

  private constructor(service: ServiceProcess) {
    this.#service = service
    this.url = `http://127.0.0.1:${service.ready['port']}`
  }

  static async start(options: WorkerProcessOptions): Promise<WorkerProcess> {
    const { modelFolder, precision = 'int8', folder, memoryMb = 64, diskMb = 1024 } = options
    const { env = {}, nodeArgs } = options
    const service = await ServiceProcess.start({
      script: path.join(repository, 'gpu-worker', 'src', 'main.ts'),
      env: {
        SETBLOCK_WORKER_PORT: '0',
        SETBLOCK_MODEL: modelFolder,
        SETBLOCK_PRECISION: precision,
        SETBLOCK_JOB_SECRET: JOB_SECRET,
        SETBLOCK_THREADS: '1',
        SETBLOCK_SESSION_MEMORY_MB: String(memoryMb),
        SETBLOCK_SESSION_DISK_MB: String(diskMb),
        ...(folder === undefined ? {} : { SETBLOCK_SESSIONS: folder }),
        ...env,
      },
      ...(nodeArgs && { nodeArgs }),
    })
    return new WorkerProcess(service)
  }

  get pid(): number {
    return this.#service.pid
  }

  /** Stops it in the middle of whatever it does. */
  pause(): void {
    this.#service.signal('SIGSTOP')
  }

  resume(): void {
    this.#service.signal('SIGCONT')
  }

  /** No time for last words. */
  async kill(): Promise<void> {
    await this.#service.end('SIGKILL')
  }

  /** As an operator stops it. */
  async stop(): Promise<void> {
    await this.#service.end('SIGTERM')
  }

  /** What it says of itself at /readyz. */
  async counts(): Promise<Record<string, number>> {
    const response = await fetch(`${this.url}/readyz`)
    const { sessions } = (await response.json()) as { sessions: Record<string, number> }
    return sessions
  }

  /** @throws Refused */
  async call(call: SessionCall, tenant: string): Promise<SessionAnswer> {
    const response = await this.#post('/v1/sessions', call, tenant)
    return (await response.json()) as SessionAnswer
  }

  /** All events of a job, or those that came before the worker died. @throws Refused */
  async run(
    job: Job,
    tenant: string,
    onEvent: (event: JobEvent) => void = () => undefined,
  ): Promise<JobEvent[]> {
    const response = await this.#post('/v1/jobs', job, tenant)
    const events: JobEvent[] = []
    try {
      for await (const event of parseEvents(response.body as ReadableStream<Uint8Array>)) {
        events.push(event)
        onEvent(event)
      }
    } catch {
      // Killed in the middle: what came so far is all that was said.
    }
    return events
  }

  async #post(route: string, body: object, tenant: string): Promise<Response> {
    const text = JSON.stringify(body)
    const key = await importJobSecret(JOB_SECRET)
    const payload = { tenant, expiresAt: Date.now() + 30_000, bodySha256: await sha256Hex(text) }
    const headers = {
      authorization: `Bearer ${await signJobToken(key, payload)}`,
      'content-type': 'application/json',
    }
    const request = { method: 'POST', body: text, headers }
    const response = await fetch(this.url + route, request).catch(() => undefined)
    if (response === undefined) throw new Refused('unreachable')
    if (response.status === 200) return response
    const { error } = (await response.json()) as { error: { code: string } }
    throw new Refused(error.code)
  }
}
