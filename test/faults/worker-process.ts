import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
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

export const JOB_SECRET = 'a secret of the fault suite, long enough to sign with'

export interface WorkerProcessOptions {
  readonly modelFolder: string
  readonly precision?: 'int8' | 'fp32'
  /** Where its sessions are; without it nothing outlives the process. */
  readonly folder?: string
  readonly memoryMb?: number
  readonly diskMb?: number
  /** More of its environment. */
  readonly env?: Readonly<Record<string, string>>
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
  readonly #child: ChildProcess
  /** Where it answers; no trailing slash. */
  readonly url: string

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.url = `http://127.0.0.1:${port}`
  }

  static async start(options: WorkerProcessOptions): Promise<WorkerProcess> {
    const { modelFolder, precision = 'int8', folder, memoryMb = 64, diskMb = 1024 } = options
    const script = path.join(repository, 'gpu-worker', 'src', 'main.ts')
    const child = spawn(process.execPath, [script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        ...process.env,
        SETBLOCK_WORKER_PORT: '0',
        SETBLOCK_MODEL: modelFolder,
        SETBLOCK_PRECISION: precision,
        SETBLOCK_JOB_SECRET: JOB_SECRET,
        SETBLOCK_THREADS: '1',
        SETBLOCK_SESSION_MEMORY_MB: String(memoryMb),
        SETBLOCK_SESSION_DISK_MB: String(diskMb),
        ...(folder === undefined ? {} : { SETBLOCK_SESSIONS: folder }),
        ...options.env,
      },
    })
    // Whatever ends this process, its workers must not live on.
    const killAtExit = (): void => void child.kill('SIGKILL')
    process.once('exit', killAtExit)
    child.once('exit', () => process.off('exit', killAtExit))
    const port = await readPort(child)
    return new WorkerProcess(child, port)
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** No time for last words. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** As an operator stops it. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM')
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

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill(signal)
    await exited
  }
}

async function readPort(child: ChildProcess): Promise<number> {
  const lines = createInterface({ input: child.stdout! })
  const ended = once(child, 'exit').then(() => {
    throw new Error('the worker ended before it was ready')
  })
  const ready = (async () => {
    for await (const line of lines) {
      const record = JSON.parse(line) as { event: string; port?: number }
      if (record.event === 'ready') return record.port!
    }
    throw new Error('the worker said nothing')
  })()
  try {
    return await Promise.race([ready, ended])
  } finally {
    ended.catch(() => undefined)
    // Read on, or a full pipe stops the worker.
    child.stdout!.resume()
  }
}
