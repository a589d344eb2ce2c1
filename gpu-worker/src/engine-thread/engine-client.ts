import { Worker } from 'node:worker_threads'
import {
  ApiError,
  limits,
  type GraphFile,
  type Job,
  type JobEvent,
  type Manifest,
} from '@setblock/shared'
import { Admission } from '../scheduler/admission.ts'
import { cachedTokensOf, type KvBlock } from '../scheduler/kv-carry.ts'
import { predictWorkMs } from '../scheduler/predict-work.ts'
import { RowCost } from '../scheduler/row-cost.ts'
import type { SchedulerStats } from '../scheduler/scheduler.ts'
import type {
  CarriedBlocks,
  EngineCommand,
  EngineMessage,
  EngineThreadOptions,
} from './protocol.ts'

export type EngineState = 'ready' | 'draining' | 'failed'

export interface EngineClientOptions extends EngineThreadOptions {
  /** Jobs that may wait beside those running. */
  readonly queueLengthMax: number
  /** Predicted work of those, milliseconds. */
  readonly queuedWorkMsMax?: number
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
}

type Ready = Extract<EngineMessage, { type: 'ready' }>

/** Main-thread side of the engine thread: bounded admission, routing of events, drain. */
export class EngineClient {
  /** Of the model that the thread serves. */
  readonly manifest: Manifest
  /** The graph that runs, and on what. */
  readonly form: GraphFile
  readonly #cost: RowCost
  readonly #admission: Admission
  readonly #worker: Worker
  readonly #onFault: OnFault
  readonly #active = new Map<string, ActiveJob>()
  #state: EngineState = 'ready'
  #stats: SchedulerStats
  #idle: (() => void) | undefined
  /** Settles when the thread has ended; rejects if it broke. */
  readonly ended: Promise<void>

  private constructor(
    worker: Worker,
    { manifest, form, cost, runningMax }: Ready,
    options: EngineClientOptions,
    onFault: OnFault,
  ) {
    this.#worker = worker
    this.manifest = manifest
    this.form = form
    this.#onFault = onFault
    this.#cost = new RowCost(cost)
    const { queueLengthMax, queuedWorkMsMax = limits.queuedWorkMsMax } = options
    this.#admission = new Admission({ runningMax, queueLengthMax, queuedWorkMsMax })
    this.#stats = { running: 0, queued: 0, freeSequences: runningMax, forwards: 0, rows: 0 }
    worker.on('message', (message: EngineMessage) => this.#receive(message))
    this.ended = new Promise((resolve, reject) => {
      worker.once('error', (error) => {
        this.#break(error)
        reject(error)
      })
      worker.once('exit', () => {
        const broken = this.#state === 'failed' || this.#active.size > 0
        this.#break(new Error('the engine thread ended'))
        if (broken) reject(new Error('the engine thread ended unexpectedly'))
        else resolve()
      })
    })
    this.ended.catch(() => undefined) // whoever cares awaits it; a broken engine must not be an unhandled rejection
  }

  /** Resolves when the model is loaded. @throws Error with one clear line when it cannot be. */
  static async start(
    options: EngineClientOptions,
    onFault: OnFault = () => undefined,
  ): Promise<EngineClient> {
    const worker = new Worker(new URL('./thread.ts', import.meta.url), { workerData: options })
    const ready = await new Promise<Ready>((resolve, reject) => {
      const exited = (): void => reject(new Error('the engine thread ended before it was ready'))
      worker.once('error', reject)
      worker.once('exit', exited)
      worker.once('message', (message: EngineMessage) => {
        worker.off('error', reject)
        worker.off('exit', exited)
        if (message.type === 'ready') resolve(message)
        else reject(new Error(message.type === 'failed' ? message.message : 'unexpected message'))
      })
    })
    return new EngineClient(worker, ready, options, onFault)
  }

  get state(): EngineState {
    return this.#state
  }

  /** Jobs waiting or running. */
  get activeJobs(): number {
    return this.#active.size
  }

  /** As of the thread's last report, half a second ago at most while it works. */
  get stats(): SchedulerStats {
    return this.#stats
  }

  /**
   * Hands a job to the engine thread. onEvent gets a start, reveals and exactly one end or error.
   * @throws ApiError overloaded (with Retry-After), worker_draining, worker_unavailable, invalid_request.
   */
  submit(job: Job, onEvent: (event: JobEvent) => void, carry?: JobCarry): void {
    this.#assertAdmissible(job)
    const workMs = predictWorkMs(job, this.#cost, cachedTokensOf(carry))
    this.#admission.admit(job.id, workMs, performance.now())
    this.#active.set(job.id, { onEvent, carry })
    const { blockTokens, prefix } = carry ?? {}
    const carried = blockTokens && prefix ? { blockTokens, prefix } : undefined
    this.#send({ type: 'submit', job, carry: carried })
  }

  cancel(jobId: string): void {
    if (this.#active.has(jobId)) this.#send({ type: 'cancel', jobId })
  }

  /** Refuses new jobs, lets the others finish for at most `drainMs`, then stops the thread. */
  async drain(drainMs: number): Promise<void> {
    if (this.#state === 'failed') return
    this.#state = 'draining'
    if (this.#active.size > 0) await this.#idleWithin(drainMs)
    this.#send({ type: 'stop' })
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

  #assertAdmissible(job: Job): void {
    if (this.#state === 'draining')
      throw new ApiError('worker_draining', 'the worker is shutting down')
    if (this.#state === 'failed') throw new ApiError('worker_unavailable', 'the engine has failed')
    if (this.#active.has(job.id)) {
      throw new ApiError('invalid_request', `id: job ${job.id} is already active`, { param: 'id' })
    }
  }

  #receive(message: EngineMessage): void {
    switch (message.type) {
      case 'ready':
        return
      case 'stats':
        this.#stats = message.stats
        return
      case 'fault':
        return this.#onFault(message.message)
      case 'failed':
        this.#onFault(message.message)
        return this.#break(new Error(message.message))
      case 'kept':
        return this.#active.get(message.jobId)?.carry?.onKept(message.blocks)
      case 'event':
        return this.#deliver(message.jobId, message.event)
    }
  }

  #deliver(jobId: string, event: JobEvent): void {
    const active = this.#active.get(jobId)
    if (active === undefined) return
    if (event.type === 'start') this.#admission.started(jobId)
    if (event.type === 'end' || event.type === 'error') {
      this.#active.delete(jobId)
      this.#admission.ended(jobId, performance.now())
      if (this.#active.size === 0) this.#idle?.()
    }
    active.onEvent(event)
  }

  /** Answers every job that the thread can no longer answer. */
  #break(error: Error): void {
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
  }

  #send(command: EngineCommand): void {
    this.#worker.postMessage(command)
  }
}
