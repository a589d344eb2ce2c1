import {
  ApiError,
  limits,
  type GraphFile,
  type Job,
  type JobEvent,
  type Manifest,
} from '@setblock/shared'
import { Admission, type QueueForecast } from '../scheduler/admission.ts'
import { cachedTokensOf, type KvBlock } from '../scheduler/kv-carry.ts'
import { predictWorkMs } from '../scheduler/predict-work.ts'
import { RowCost } from '../scheduler/row-cost.ts'
import type { SchedulerStats } from '../scheduler/scheduler.ts'
import { noTotals } from '../scheduler/step-totals.ts'
import { EngineThread } from './engine-thread.ts'
import { placeJob, type EngineLoad } from './place-job.ts'
import { sumCounts } from './sum-counts.ts'
import type { CarriedBlocks, EngineMessage, EngineThreadOptions, ThreadMemory } from './protocol.ts'

export type EngineState = 'ready' | 'draining' | 'failed'

export interface EngineClientOptions extends Omit<EngineThreadOptions, 'measured' | 'busyEngines'> {
  /** Jobs that may wait beside those running. */
  readonly queueLengthMax: number
  /** Predicted work of those, milliseconds. */
  readonly queuedWorkMsMax?: number
  /** Predicted wait in which a further job is still taken, milliseconds. */
  readonly queueWaitMsMax?: number
}

/** Told the reason of every failed forward. */
export type OnFault = (message: string) => void

/** What a job starts with, and who is given what it adds; that comes before the last event. */
export interface JobCarry extends CarriedBlocks {
  readonly onKept: (blocks: readonly KvBlock[]) => void
}

interface ActiveJob {
  readonly onEvent: (event: JobEvent) => void
  readonly carry: JobCarry | undefined
  readonly workMs: number
  readonly engine: PlacedEngine
}

/** An engine thread and what it has to do. */
interface PlacedEngine {
  readonly thread: EngineThread
  readonly load: { -readonly [Key in keyof EngineLoad]: EngineLoad[Key] }
  stats: SchedulerStats
  memory: ThreadMemory
}

/**
 * Main-thread side of a model's engine threads: bounded admission, placing of jobs, routing of
 * events, drain. Several threads hold the same model, each with caches of its own.
 */
export class EngineClient {
  /** Of the model that the thread serves. */
  readonly manifest: Manifest
  /** The graph that runs, and on what. */
  readonly form: GraphFile
  readonly #cost: RowCost
  readonly #admission: Admission
  readonly #engines: readonly PlacedEngine[]
  readonly #busyEngines: Int32Array
  /** Jobs that run at once in one thread. */
  readonly #runningMax: number
  readonly #onFault: OnFault
  readonly #active = new Map<string, ActiveJob>()
  #state: EngineState = 'ready'
  #idle: (() => void) | undefined
  /** Settles when all threads have ended; rejects if one broke. */
  readonly ended: Promise<void>

  private constructor(
    threads: readonly EngineThread[],
    options: EngineClientOptions & { busyEngines: SharedArrayBuffer },
    onFault: OnFault,
  ) {
    const { manifest, form, measured, runningMax } = threads[0]!.ready
    this.#busyEngines = new Int32Array(options.busyEngines)
    this.manifest = manifest
    this.form = form
    this.#onFault = onFault
    this.#cost = new RowCost(measured.cost)
    this.#runningMax = runningMax
    const bounds = {
      queueLengthMax: options.queueLengthMax,
      queuedWorkMsMax: options.queuedWorkMsMax ?? limits.queuedWorkMsMax,
      queueWaitMsMax: options.queueWaitMsMax ?? limits.queueWaitMsMax,
    }
    this.#admission = new Admission({ ...bounds, runningMax: runningMax * threads.length })
    const idle = { running: 0, queued: 0, freeSequences: runningMax, cachedTokens: 0 }
    const stats = { ...idle, forwards: 0, rows: 0, totals: noTotals() }
    const memory = { heapBytes: 0, externalBytes: 0 }
    this.#engines = threads.map((thread) => ({
      thread,
      load: { jobs: 0, workMs: 0 },
      stats,
      memory,
    }))
    for (const engine of this.#engines) {
      engine.thread.onMessage((message) => this.#receive(engine, message))
    }
    const watched = this.#engines.map((engine) => this.#watch(engine))
    this.ended = Promise.all(watched).then(() => undefined)
    this.ended.catch(() => undefined) // whoever cares awaits it; a broken engine must not be an unhandled rejection
  }

  /** Resolves when the model is loaded. @throws Error with one clear line when it cannot be. */
  static async start(
    options: EngineClientOptions,
    onFault: OnFault = () => undefined,
  ): Promise<EngineClient> {
    const shared = { ...options, busyEngines: new SharedArrayBuffer(4) }
    const first = await EngineThread.start(shared)
    const { measured } = first.ready
    const others = Array.from({ length: measured.engines - 1 }, () =>
      EngineThread.start({ ...shared, measured }),
    )
    return new EngineClient([first, ...(await Promise.all(others))], shared, onFault)
  }

  get state(): EngineState {
    return this.#state
  }

  /** Jobs waiting or running. */
  get activeJobs(): number {
    return this.#active.size
  }

  /** Of all threads, as of their last reports, half a second ago at most while they work. */
  get stats(): SchedulerStats {
    return sumCounts(this.#engines.map(({ stats }) => stats))
  }

  /** Of each thread, as of its last report; zeros before the first. */
  get memory(): readonly ThreadMemory[] {
    return this.#engines.map(({ memory }) => memory)
  }

  get queue(): QueueForecast {
    return this.#admission.queue
  }

  /**
   * Hands a job to an engine thread. onEvent gets a start, reveals and exactly one end or error.
   * @throws ApiError overloaded (with Retry-After), worker_draining, worker_unavailable, invalid_request.
   */
  submit(job: Job, onEvent: (event: JobEvent) => void, carry?: JobCarry): void {
    this.#assertAdmissible(job)
    const workMs = predictWorkMs(job, this.#cost, cachedTokensOf(carry))
    this.#admission.admit(job.id, workMs, performance.now())
    const loads = this.#engines.map(({ load }) => load)
    const engine = this.#engines[placeJob(loads, this.#runningMax)]!
    this.#load(engine, 1, workMs)
    this.#active.set(job.id, { onEvent, carry, workMs, engine })
    const { blockTokens, prefix } = carry ?? {}
    const carried = blockTokens && prefix ? { blockTokens, prefix } : undefined
    engine.thread.send({ type: 'submit', job, carry: carried })
  }

  /**
   * Refuses what `submit` would refuse whatever the job is, before anything has been looked up for it.
   * @throws ApiError overloaded (with Retry-After), worker_draining, worker_unavailable.
   */
  assertOpen(): void {
    this.#assertRunning()
    this.#admission.assertOpen()
  }

  #load(engine: PlacedEngine, jobs: number, workMs: number): void {
    engine.load.jobs += jobs
    engine.load.workMs += workMs
    const busy = this.#engines.filter(({ load }) => load.jobs > 0).length
    Atomics.store(this.#busyEngines, 0, busy)
  }

  cancel(jobId: string): void {
    this.#active.get(jobId)?.engine.thread.send({ type: 'cancel', jobId })
  }

  /** Refuses new jobs, lets the others finish for at most `drainMs`, then stops the threads. */
  async drain(drainMs: number): Promise<void> {
    if (this.#state === 'failed') return
    this.#state = 'draining'
    if (this.#active.size > 0) await this.#idleWithin(drainMs)
    this.#stop()
    await this.ended.catch(() => undefined)
  }

  async #idleWithin(drainMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const tooLong = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, drainMs)
    })
    const idle = new Promise<void>((resolve) => {
      this.#idle = resolve
    })
    await Promise.race([idle, tooLong])
    clearTimeout(timer)
  }

  #assertRunning(): void {
    if (this.#state === 'draining')
      throw new ApiError('worker_draining', 'the worker is shutting down')
    if (this.#state === 'failed') throw new ApiError('worker_unavailable', 'the engine has failed')
  }

  #assertAdmissible(job: Job): void {
    this.#assertRunning()
    if (this.#active.has(job.id)) {
      throw new ApiError('invalid_request', `id: job ${job.id} is already active`, { param: 'id' })
    }
  }

  /** Settles when the thread has ended; rejects if it should not have. */
  async #watch(engine: PlacedEngine): Promise<void> {
    try {
      await engine.thread.ended
    } catch (error) {
      this.#break(error)
      throw error
    }
    if (this.#state === 'draining' && engine.load.jobs === 0) return
    const error = new Error('the engine thread ended unexpectedly')
    this.#break(error)
    throw error
  }

  #receive(engine: PlacedEngine, message: EngineMessage): void {
    switch (message.type) {
      case 'ready':
        return
      case 'stats':
        engine.stats = message.stats
        engine.memory = message.memory
        return
      case 'fault':
        return this.#onFault(message.message)
      case 'failed':
        this.#onFault(message.message)
        return this.#break(new Error(message.message))
      case 'kept':
        return this.#active.get(message.jobId)?.carry?.onKept(message.blocks)
      case 'events':
        for (const { jobId, event } of message.events) this.#deliver(jobId, event)
    }
  }

  #deliver(jobId: string, event: JobEvent): void {
    const active = this.#active.get(jobId)
    if (active === undefined) return
    if (event.type === 'start') this.#admission.started(jobId)
    if (event.type === 'end' || event.type === 'error') {
      this.#active.delete(jobId)
      this.#load(active.engine, -1, -active.workMs)
      this.#admission.ended(jobId, performance.now())
      if (this.#active.size === 0) this.#idle?.()
    }
    active.onEvent(event)
  }

  /** One thread is gone: answers every job, and lets the others end. */
  #break(error: unknown): void {
    if (this.#state !== 'draining') this.#state = 'failed'
    const { code, message, retryable } = new ApiError(
      'worker_unavailable',
      'the engine has failed',
      {
        cause: error,
      },
    )
    for (const jobId of this.#active.keys()) {
      this.#deliver(jobId, { type: 'error', code, message, retryable })
    }
    this.#stop()
  }

  #stop(): void {
    for (const { thread } of this.#engines) thread.send({ type: 'stop' })
  }
}
