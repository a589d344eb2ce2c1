import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findPort } from '../../../scripts/start/ports.ts'
import { repository } from '../../../scripts/start/services.ts'
import { bundledModel } from '../../eval/provenance.ts'
import { ServiceProcess } from '../service-process.ts'
import { JOB_SECRET, WorkerProcess } from '../worker-process.ts'
import { FaultProxy } from './fault-proxy.ts'
import { tellsLive } from './live-memory.ts'
import type { Readiness } from './quiescence.ts'

const ADMIN_KEY = 'admin-key-of-the-fault-suite-long-enough'
/** Enough that no client of the suite is ever told to wait for its allowance. */
const ALLOWANCE = { requests_per_minute: 1_000_000, tokens_per_minute: 1_000_000_000 }
/** More than the age of what a worker says of its engine, half a second at most. */
const STATS_AGE_MS = 1_000
const POLL_MS = 200
const CLOCK_PRELOAD = path.join(import.meta.dirname, 'clock-preload.cjs')

/** How the edge knows of workers: by its list, or because they announce themselves. */
export type Discovery = 'static' | 'registry'

export interface ClusterOptions {
  /** For the edge's database, clocks and the like. */
  readonly root: string
  /** Where all workers keep sessions; without it each forgets them when it ends. */
  readonly sessionsFolder?: string
  readonly workers: number
  /** Megabytes of keys and values between turns, for each worker. */
  readonly memoryMb?: number
  /** A list by default. */
  readonly discovery?: Discovery
  /** Whether services tell what they hold when they are asked, see `liveMemory`. */
  readonly live?: boolean
  /** Sees what goes to each worker, by its index. */
  readonly onRequestBytes?: (seat: number, chunk: Buffer) => void
}

/** A worker, the way to it, and the clock it goes by. */
export class Seat {
  readonly proxy: FaultProxy
  readonly #start: () => Promise<WorkerProcess>
  readonly #clockFile: string
  #worker: WorkerProcess
  #up = true

  constructor(
    worker: WorkerProcess,
    proxy: FaultProxy,
    options: { clockFile: string; start: () => Promise<WorkerProcess> },
  ) {
    this.#worker = worker
    this.proxy = proxy
    this.#clockFile = options.clockFile
    this.#start = options.start
  }

  get worker(): WorkerProcess {
    return this.#worker
  }

  /** Whether there is a worker at all; it may be paused or out of reach. */
  get up(): boolean {
    return this.#up
  }

  /** Ends the worker, at once or as an operator would, and starts another one after a while. */
  async replace(how: 'kill' | 'stop', absentMs: number): Promise<void> {
    this.#up = false
    await this.#worker[how]()
    await new Promise((resolve) => setTimeout(resolve, absentMs))
    this.#worker = await this.#start()
    this.proxy.targetPort = portOf(this.#worker)
    this.#up = true
  }

  setClock(offsetMs: number): void {
    writeFileSync(this.#clockFile, String(offsetMs))
  }

  async close(): Promise<void> {
    this.#worker.resume()
    await this.#worker.kill()
    await this.proxy.close()
  }
}

const portOf = (worker: WorkerProcess): number => Number(new URL(worker.url).port)

async function takeSeat(options: ClusterOptions, index: number, edgeUrl: string): Promise<Seat> {
  const { root, sessionsFolder: folder, memoryMb, discovery } = options
  const proxy = await FaultProxy.start((chunk) => options.onRequestBytes?.(index, chunk))
  const announcing = { SETBLOCK_EDGE_URL: edgeUrl, SETBLOCK_ADVERTISE_URL: proxy.url }
  const name = `worker-${index}`
  const { nodeArgs, env } = preloads(options, name)
  const start = (): Promise<WorkerProcess> =>
    WorkerProcess.start({
      modelFolder: bundledModel,
      ...(folder !== undefined && { folder }),
      ...(memoryMb !== undefined && { memoryMb }),
      diskMb: 16,
      env: { ...env, ...(discovery === 'registry' && announcing) },
      nodeArgs,
    })
  const worker = await start()
  proxy.targetPort = portOf(worker)
  return new Seat(worker, proxy, { clockFile: clockOf(root, name), start })
}

/** Workers behind an edge on Node, each a process of its own, with a faulty way between them. */
export class Cluster {
  readonly seats: readonly Seat[]
  /** Where the edge answers; stays the same when it is started anew. */
  readonly url: string
  readonly #options: ClusterOptions
  #edge: ServiceProcess
  #outages = 0
  #edgeUp = true

  private constructor(
    options: ClusterOptions,
    { seats, url, edge }: { seats: readonly Seat[]; url: string; edge: ServiceProcess },
  ) {
    this.#options = options
    this.seats = seats
    this.url = url
    this.#edge = edge
  }

  static async start(options: ClusterOptions): Promise<Cluster> {
    const port = await findPort({ host: '127.0.0.1', port: 0, option: 'none' })
    const url = `http://127.0.0.1:${port}`
    const seats = await Promise.all(
      Array.from({ length: options.workers }, (_, index) => takeSeat(options, index, url)),
    )
    const edge = await startEdge(options, port, seats)
    const cluster = new Cluster(options, { seats, url, edge })
    await cluster.#allKnown()
    return cluster
  }

  /** Resolves when the edge knows every worker: who announces itself takes some seconds. */
  async #allKnown(): Promise<void> {
    for (;;) {
      const response = await fetch(`${this.url}/readyz`)
      const { workers } = (await response.json()) as { workers: { ready: number } }
      if (workers.ready === this.seats.length) return
      await sleep(POLL_MS)
    }
  }

  get edge(): ServiceProcess {
    return this.#edge
  }

  /** Rises with everything that may break connections of clients. */
  get outages(): number {
    return this.#outages
  }

  get edgeUp(): boolean {
    return this.#edgeUp
  }

  async replaceEdge(signal: 'SIGKILL' | 'SIGTERM', absentMs: number): Promise<void> {
    this.#outages += 1
    this.#edgeUp = false
    await this.#edge.end(signal)
    await new Promise((resolve) => setTimeout(resolve, absentMs))
    this.#edge = await startEdge(this.#options, Number(new URL(this.url).port), this.seats)
    this.#edgeUp = true
  }

  setEdgeClock(offsetMs: number): void {
    writeFileSync(clockOf(this.#options.root, 'edge'), String(offsetMs))
  }

  /** Sequences that each worker could give to a job, when all jobs have ended. */
  async freeSlots(): Promise<number[]> {
    await sleep(STATS_AGE_MS)
    const answers = this.seats.map(async ({ worker }) => {
      const readiness = (await (await fetch(`${worker.url}/readyz`)).json()) as Readiness
      return readiness.scheduler.freeSequences
    })
    return Promise.all(answers)
  }

  async createKey(tenant: string): Promise<string> {
    const response = await fetch(`${this.url}/v1/admin/keys`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ tenant, name: 'faults', ...ALLOWANCE }),
    })
    if (response.status !== 201) throw new Error(`no key: ${await response.text()}`)
    return ((await response.json()) as { key: string }).key
  }

  async close(): Promise<void> {
    await this.#edge.end('SIGKILL')
    await Promise.all(this.seats.map((seat) => seat.close()))
  }
}

const clockOf = (root: string, name: string): string => path.join(root, `${name}.clock`)

/** Where a service tells what it holds. */
export const liveFileOf = (root: string, name: string): string => path.join(root, `${name}.live`)

/** What a service of this name is started with besides its own configuration. */
function preloads({ root, live = false }: ClusterOptions, name: string) {
  const telling = live ? tellsLive(liveFileOf(root, name)) : { nodeArgs: [], env: {} }
  return {
    nodeArgs: [...telling.nodeArgs, '--require', CLOCK_PRELOAD],
    env: { ...telling.env, SETBLOCK_TEST_CLOCK_FILE: clockOf(root, name) },
  }
}

function startEdge(
  options: ClusterOptions,
  port: number,
  seats: readonly Seat[],
): Promise<ServiceProcess> {
  const { root, discovery = 'static' } = options
  const { nodeArgs, env } = preloads(options, 'edge')
  const listed = seats.map(({ proxy }) => proxy.url).join()
  return ServiceProcess.start({
    script: path.join(repository, 'edge', 'src', 'node.ts'),
    nodeArgs,
    env: {
      ...env,
      SETBLOCK_EDGE_PORT: String(port),
      SETBLOCK_METRICS_PORT: '0',
      SETBLOCK_MODEL: bundledModel,
      SETBLOCK_DATABASE: path.join(root, 'edge.sqlite'),
      SETBLOCK_JOB_SECRET: JOB_SECRET,
      SETBLOCK_ADMIN_KEY: ADMIN_KEY,
      GPU_WORKERS: discovery === 'static' ? listed : 'registry',
      SETBLOCK_WORKER_HOSTS: '127.0.0.1',
    },
  })
}
