import { setImmediate } from 'node:timers/promises'
import { ApiError, assert, limits, type Job, type JobEvent } from '@setblock/shared'
import type { RowResults } from '../decoding/rows.ts'
import { rowCount } from '../engine/attention-mask.ts'
import type { GrammarPlace } from '../decoding/grammar-place.ts'
import type { Engine, SequenceId, SequenceRows } from '../engine/engine.ts'
import { JobQueue } from './job-queue.ts'
import { JobRun, type Emit, type WaitingJob } from './job-run.ts'
import { cachedTokensOf, keepBlocks, restoreBlocks, type KvCarry } from './kv-carry.ts'
import { planRows, PREFILL_ROWS_MAX, rowPrice } from './plan-rows.ts'
import { predictWorkMs } from './predict-work.ts'
import { MeasuredCost, type MeasuredCostOptions } from './measured-cost.ts'
import { addForward, noTotals, type StepTotals } from './step-totals.ts'

/** Forwards in a row that may fail before the engine counts as broken. */
export const FAILED_STEPS_MAX = 3

/** An engine without work for so long measures on what rows cost. */
const IDLE_MS = 1000

export interface SchedulerOptions extends MeasuredCostOptions {
  readonly engine: Engine
  readonly maskTokenId: number
  /** Jobs that share a forward. */
  readonly runningMax: number
  /**
   * The start of the grammar of a JSON Schema; without it jobs that need one are refused.
   * @throws ApiError if the schema cannot be enforced.
   */
  readonly openGrammar?: (jsonSchema: string) => GrammarPlace
  /** Told why a forward failed; the jobs themselves only hear of an internal error. */
  readonly onFault: (error: unknown) => void
}

/** How the scheduler stands, and what it has done since it started. */
export interface SchedulerStats {
  readonly running: number
  readonly queued: number
  readonly freeSequences: number
  readonly forwards: number
  /** Of all forwards, padding not counted. */
  readonly rows: number
  /** Positions whose keys and values the running jobs hold. */
  readonly cachedTokens: number
  readonly totals: Readonly<StepTotals>
}

/**
 * The step loop. Each turn drops what was cancelled or is too late, gives free sequences to waiting jobs, and runs one
 * forward for all running jobs, prompt chunks beside blocks. Every submitted job ends in exactly one `end` or `error`.
 */
export class Scheduler {
  readonly #options: SchedulerOptions
  readonly #cost: MeasuredCost
  readonly #queue = new JobQueue()
  #running: JobRun[] = []
  /** Taken from the queue, its known keys and values still on their way into the engine. */
  #admitting: WaitingJob | undefined
  readonly #cancelled = new Set<string>()
  #wake: (() => void) | undefined
  #stopping = false
  #failedSteps = 0
  readonly #done = { forwards: 0, rows: 0 }
  readonly #totals = noTotals()

  constructor(options: SchedulerOptions) {
    assertFits(options)
    this.#options = options
    this.#cost = new MeasuredCost(options)
  }

  get stats(): SchedulerStats {
    const running = this.#running.length
    const { runningMax, engine } = this.#options
    const cachedTokens = this.#running.reduce(
      (sum, { sequence }) => sum + engine.cachedLength(sequence),
      0,
    )
    return {
      running,
      queued: this.#queue.length,
      freeSequences: runningMax - running,
      cachedTokens,
      ...this.#done,
      totals: { ...this.#totals },
    }
  }

  submit(job: Job, emit: Emit, carry?: KvCarry): void {
    const { now } = this.#options
    const workMs = predictWorkMs(job, this.#cost.current, cachedTokensOf(carry))
    this.#queue.add({ job, emit, carry, submittedMs: now() }, workMs)
    this.#wake?.()
  }

  /** The job leaves before the next forward. Unknown or ended ids are ignored. */
  cancel(jobId: string): void {
    const held = [...this.#running, ...(this.#admitting ? [this.#admitting] : [])]
    const known = this.#queue.has(jobId) || held.some(({ job }) => job.id === jobId)
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
        await this.#dropLeavers()
        await this.#admit()
        if (this.#running.length === 0) await this.#work()
        else {
          await this.#step()
          const hasRoom = this.#running.length < this.#options.runningMax
          if (hasRoom) await this.#cost.measureBeside(() => !this.#stopping)
        }
      }
    } finally {
      await this.#failAll(new ApiError('worker_draining', 'the worker is shutting down'))
    }
  }

  /** Waits for a submission, a cancellation or the stop. */
  async #work(): Promise<void> {
    const isIdle = (): boolean => !this.#stopping && this.#queue.length === 0
    if (!isIdle()) return // since the last look
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      if (this.#cost.isOpen) timer = setTimeout(resolve, IDLE_MS)
    })
    clearTimeout(timer)
    this.#wake = undefined
    if (isIdle()) await this.#cost.measureOn(isIdle)
  }

  async #dropLeavers(): Promise<void> {
    this.#queue.remove((waiting) => {
      const error = this.#reasonToLeave(waiting) ?? this.#waitedTooLong(waiting)
      if (error !== undefined) waiting.emit(toErrorEvent(error))
      return error !== undefined
    })
    const leavers = this.#running.map((run) => ({ run, error: this.#reasonToLeave(run) }))
    this.#cancelled.clear() // before anything is awaited: who cancels meanwhile leaves next time
    for (const { run, error } of leavers) if (error !== undefined) await this.#fail(run, error)
  }

  #reasonToLeave({ job, submittedMs }: WaitingJob | JobRun): ApiError | undefined {
    const { id, deadlineMs } = job
    if (this.#cancelled.has(id)) return new ApiError('aborted', 'the client left')
    const late = deadlineMs !== undefined && this.#options.now() - submittedMs > deadlineMs
    return late ? new ApiError('deadline_exceeded', `not done after ${deadlineMs} ms`) : undefined
  }

  #waitedTooLong({ submittedMs }: WaitingJob): ApiError | undefined {
    const tooLong = this.#options.now() - submittedMs > limits.queueTimeMsMax
    const text = `no sequence was free for ${limits.queueTimeMsMax} ms`
    return tooLong ? new ApiError('overloaded', text) : undefined
  }

  #openGrammar(jsonSchema: string): GrammarPlace {
    const { openGrammar } = this.#options
    if (openGrammar !== undefined) return openGrammar(jsonSchema)
    throw new ApiError('unsupported_parameter', 'grammar: not supported', { param: 'grammar' })
  }

  async #admit(): Promise<void> {
    const { engine, maskTokenId, runningMax, now } = this.#options
    while (this.#running.length < runningMax) {
      const waiting = this.#queue.take()
      this.#admitting = waiting
      if (waiting === undefined) return
      let sequence: SequenceId | undefined
      try {
        sequence = engine.open()
        const cachedTokens = await restoreBlocks(engine, sequence, waiting.carry)
        const { grammar: given } = waiting.job
        const grammar = given && this.#openGrammar(given.jsonSchema)
        const start = { sequence, maskTokenId, cachedTokens, grammar, nowMs: now() }
        this.#running.push(new JobRun(waiting, start))
      } catch (error) {
        if (sequence !== undefined) engine.close(sequence)
        waiting.emit(toErrorEvent(ApiError.from(error)))
      }
    }
  }

  async #step(): Promise<void> {
    const batch = [...this.#running]
    const { engine, now } = this.#options
    try {
      const planned = this.#planForward(batch)
      const beganMs = now()
      const results = await engine.forward(planned.map(({ rows }) => rows))
      this.#totals.busyMs += now() - beganMs
      this.#done.forwards += 1
      for (const [index, { run, rows }] of planned.entries()) {
        this.#done.rows += rowCount(rows)
        await this.#settle(run, results[index] as RowResults)
      }
      this.#failedSteps = 0
    } catch (error) {
      this.#failedSteps += 1
      this.#totals.faults += 1
      this.#options.onFault(error)
      for (const run of batch) await this.#fail(run, ApiError.from(error))
      if (this.#failedSteps >= FAILED_STEPS_MAX) throw error
    }
    await setImmediate() // lets cancellations and submissions in between two forwards
  }

  /** The jobs that take part in the next forward, with their rows. */
  #planForward(batch: readonly JobRun[]): { run: JobRun; rows: SequenceRows }[] {
    const cost = this.#cost.current
    const price = rowPrice(
      cost,
      batch.flatMap(({ pace }) => pace ?? []),
    )
    const granted = planRows(
      batch.map((run) => run.demand(price)),
      cost,
    )
    return batch.flatMap((run, index) => {
      const rowsMax = granted[index] as number
      if (rowsMax === 0) return []
      const rows = run.plan({ rowPrice: price, rowsMax })
      return [{ run, rows: { sequence: run.sequence, ...rows } }]
    })
  }

  async #settle(run: JobRun, results: RowResults): Promise<void> {
    const { done, end } = run.settle(results, this.#options.now())
    addForward(this.#totals, done)
    this.#options.engine.commit(run.sequence, done.outcome.commit)
    if (end === undefined) return
    await this.#release(run)
    run.emit(end)
  }

  /** Does nothing to a run that has ended already, so a job never gets a second terminal event. */
  async #fail(run: JobRun, error: ApiError): Promise<void> {
    if (!this.#running.includes(run)) return
    await this.#release(run)
    run.emit(toErrorEvent(error))
  }

  async #release(run: JobRun): Promise<void> {
    const { engine } = this.#options
    this.#running = this.#running.filter((other) => other !== run)
    try {
      await keepBlocks(engine, run.sequence, run.carry)
    } catch (error) {
      this.#options.onFault(error) // the text stands: what is lost is a cache of it
    }
    engine.close(run.sequence)
  }

  async #failAll(error: ApiError): Promise<void> {
    for (const run of this.#running) await this.#fail(run, error)
    this.#queue.remove((waiting) => {
      waiting.emit(toErrorEvent(error))
      return true
    })
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
