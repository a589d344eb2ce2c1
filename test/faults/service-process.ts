import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export interface ServiceProcessOptions {
  /** Entry of the program, run by this Node. */
  readonly script: string
  readonly env: Readonly<Record<string, string>>
  /** Options of Node itself, such as a preload. */
  readonly nodeArgs?: readonly string[]
}

/** What a service says when it is ready. */
export type ReadyRecord = Readonly<Record<string, string | number>>

/** A service as it runs in production: a process of its own that says when it is ready. */
export class ServiceProcess {
  readonly #child: ChildProcess
  readonly ready: ReadyRecord

  private constructor(child: ChildProcess, ready: ReadyRecord) {
    this.#child = child
    this.ready = ready
  }

  /** Resolves once the service is ready. @throws Error if it ends before. */
  static async start({ script, env, nodeArgs = [] }: ServiceProcessOptions) {
    const child = spawn(process.execPath, [...nodeArgs, script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    })
    // Whatever ends this process, what it started must not live on.
    const killAtExit = (): void => void child.kill('SIGKILL')
    process.once('exit', killAtExit)
    child.once('exit', () => process.off('exit', killAtExit))
    return new ServiceProcess(child, await readReady(child))
  }

  get pid(): number {
    return this.#child.pid!
  }

  get gone(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Sends a signal that does not end it. */
  signal(signal: NodeJS.Signals): void {
    if (!this.gone) this.#child.kill(signal)
  }

  /** Ends it, and resolves when it is gone; also when it is gone already. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.gone) return
    const exited = once(this.#child, 'exit')
    this.#child.kill(signal)
    await exited
  }
}

async function readReady(child: ChildProcess): Promise<ReadyRecord> {
  const lines = createInterface({ input: child.stdout! })
  const ended = once(child, 'exit').then(() => {
    throw new Error('a service ended before it was ready')
  })
  const ready = (async () => {
    for await (const line of lines) {
      const record = JSON.parse(line) as ReadyRecord
      if (record['event'] === 'ready') return record
    }
    throw new Error('a service said nothing')
  })()
  try {
    return await Promise.race([ready, ended])
  } finally {
    ended.catch(() => undefined)
    // Read on, or a full pipe stops the service.
    child.stdout!.resume()
  }
}
