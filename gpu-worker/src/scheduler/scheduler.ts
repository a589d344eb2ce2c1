import { setImmediate } from 'node:timers/promises'
import { ApiError, assert, type Job, type JobEvent } from '@setblock/shared'
import { PREFILL_ROWS_MAX } from '../decoding/job-decoder.ts'
import type { Engine, SequenceId } from '../engine/engine.ts'
import { JobRun, type Emit, type WaitingJob } from './job-run.ts'
import { keepBlocks, restoreBlocks, type KvCarry } from './kv-carry.ts'

/** Forwards in a row that may fail before the engine counts as broken. */
export const FAILED_STEPS_MAX = 3

export interface SchedulerOptions {
  readonly engine: Engine
  readonly maskTokenId: number
  /** Jobs that share a forward. */
  readonly runningMax: number
  /** Milliseconds, monotonic within a process lifetime. */
  readonly now: () => number
  /** Told why a forward failed; the jobs themselves only hear of an internal error. */
  readonly onFault: (error: unknown) => void
}

/**
 * The step loop. Each turn drops what was cancelled or is too late, gives free sequences to waiting jobs in order of
 * arrival, and runs one forward for all running jobs. Every submitted job ends in exactly one `end` or `error` event.
 */
export class Scheduler {
  readonly #options: SchedulerOptions
  #waiting: WaitingJob[] = []
  #running: JobRun[] = []
  readonly #cancelled = new Set<string>()
  #wake: (() => void) | undefined
  #stopping = false
  #failedSteps = 0

  constructor(options: SchedulerOptions) {
    assertFits(options)
    this.#options = options
  }

  submit(job: Job, emit: Emit, carry?: KvCarry): void {
    this.#waiting.push({ job, emit, carry, submittedMs: this.#options.now() })
    this.#wake?.()
  }

  /** The job leaves before the next forward. Unknown or ended ids are ignored. */
  cancel(jobId: string): void {
    const known = [...this.#waiting, ...this.#running].some(({ job }) => job.id === jobId)
    if (known) this.#cancelled.add(jobId)
    this.#wake?.()
  }

  /** Lets run() return before its next forward; jobs still there get an error event. */
  stop(): void {
    this.#stopping = true
    this.#wake?.()
  }

  /** Runs until stop(). @throws when FAILED_STEPS_MAX forwards failed in a row. */
  async run(): Promise<void> {
    try {
      while (!this.#stopping) {
        this.#dropLeavers()
        this.#admit()
        if (this.#running.length === 0) await this.#work()
        else await this.#step()
      }
    } finally {
      this.#failAll(new ApiError('worker_draining', 'the worker is shutting down'))
    }
  }

  /** Waits for a submission, a cancellation or the stop. */
  async #work(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    this.#wake = undefined
  }

  #dropLeavers(): void {
    const { now } = this.#options
    const reason = (entry: WaitingJob | JobRun): ApiError | undefined => {
      const { id, deadlineMs } = entry.job
      if (this.#cancelled.has(id)) return new ApiError('aborted', 'the client left')
      const late = deadlineMs !== undefined && now() - entry.submittedMs > deadlineMs
      return late ? new ApiError('deadline_exceeded', `not done after ${deadlineMs} ms`) : undefined
    }
    for (const run of this.#running) {
      const error = reason(run)
      if (error !== undefined) this.#fail(run, error)
    }
    this.#waiting = this.#waiting.filter((waiting) => {
      const error = reason(waiting)
      if (error !== undefined) waiting.emit(toErrorEvent(error))
      return error === undefined
    })
    this.#cancelled.clear()
  }

  #admit(): void {
    const { engine, maskTokenId, runningMax, now } = this.#options
    while (this.#running.length < runningMax && this.#waiting.length > 0) {
      const waiting = this.#waiting.shift() as WaitingJob
      let sequence: SequenceId | undefined
      try {
        sequence = engine.open()
        const cachedTokens = restoreBlocks(engine, sequence, waiting.carry)
        const start = { sequence, maskTokenId, cachedTokens, nowMs: now() }
        this.#running.push(new JobRun(waiting, start))
      } catch (error) {
        if (sequence !== undefined) engine.close(sequence)
        waiting.emit(toErrorEvent(ApiError.from(error)))
      }
    }
  }

  async #step(): Promise<void> {
    const batch = [...this.#running]
    try {
      const rows = batch.map((run) => ({ sequence: run.sequence, ...run.plan() }))
      const results = await this.#options.engine.forward(rows)
      for (const [index, run] of batch.entries())
        this.#settle(run, results[index] as (typeof results)[0])
      this.#failedSteps = 0
    } catch (error) {
      this.#failedSteps += 1
      this.#options.onFault(error)
      for (const run of batch) this.#fail(run, ApiError.from(error))
      if (this.#failedSteps >= FAILED_STEPS_MAX) throw error
    }
    await setImmediate() // lets cancellations and submissions in between two forwards
  }

  #settle(run: JobRun, results: Parameters<JobRun['settle']>[0]): void {
    const { commit, end } = run.settle(results, this.#options.now())
    this.#options.engine.commit(run.sequence, commit)
    if (end === undefined) return
    this.#release(run)
    run.emit(end)
  }

  /** Does nothing to a run that has ended already, so a job never gets a second terminal event. */
  #fail(run: JobRun, error: ApiError): void {
    if (!this.#running.includes(run)) return
    this.#release(run)
    run.emit(toErrorEvent(error))
  }

  #release(run: JobRun): void {
    const { engine } = this.#options
    this.#running = this.#running.filter((other) => other !== run)
    keepBlocks(engine, run.sequence, run.carry)
    engine.close(run.sequence)
  }

  #failAll(error: ApiError): void {
    for (const run of this.#running) this.#fail(run, error)
    for (const waiting of this.#waiting.splice(0)) waiting.emit(toErrorEvent(error))
  }
}

function toErrorEvent(error: ApiError): JobEvent {
  return { type: 'error', code: error.code, message: error.message, retryable: error.retryable }
}

/** Whatever a decoder may plan, the engine can run. @throws InvariantError with both numbers. */
function assertFits({ engine, runningMax }: SchedulerOptions): void {
  const { sequencesMax, rowsMax, maxBlockLength } = engine.limits
  assert(runningMax <= sequencesMax, `${runningMax} jobs need more than ${sequencesMax} sequences`)
  // A prompt chunk, or a draft, with two mask groups.
  const rowsNeeded = PREFILL_ROWS_MAX + 3 * maxBlockLength
  assert(rowsNeeded <= rowsMax, `a forward of ${rowsNeeded} rows exceeds the engine's ${rowsMax}`)
}
