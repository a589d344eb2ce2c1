import { ApiError } from '@setblock/shared'

export interface AdmissionOptions {
  /** Jobs that share a forward. */
  readonly runningMax: number
  /** Jobs that may wait beside those. */
  readonly queueLengthMax: number
  /** Predicted work of the jobs that wait, milliseconds that they would take alone. */
  readonly queuedWorkMsMax: number
  /** Predicted wait in which a further job is still taken, milliseconds. */
  readonly queueWaitMsMax: number
}

/** How the queue stands, and what a job that came now would have to expect. */
export interface QueueForecast {
  readonly waiting: number
  /** Predicted work of the waiting jobs, milliseconds that they would take alone. */
  readonly workMs: number
  /** Milliseconds until a job that came now has a sequence. */
  readonly waitMs: number
}

interface AdmittedJob {
  readonly workMs: number
  started: boolean
}

/** Weight that the measured drain rate keeps of what came before, at each job's end. */
const DRAIN_MEMORY = 0.9

/** Until jobs have ended, a millisecond of predicted work is taken to need one of time, with this weight. */
const FIRST_DRAIN_MS = 1000

/**
 * Who may join the queue. Jobs are counted, and priced by their predicted work; how fast that drains is measured, which
 * makes up for what the prediction leaves out: batching, other modes, texts that end early. Times are of one clock, ms.
 */
export class Admission {
  readonly #options: AdmissionOptions
  readonly #jobs = new Map<string, AdmittedJob>()
  readonly #drained = { workMs: FIRST_DRAIN_MS, busyMs: FIRST_DRAIN_MS }
  /** Since when there has been work, or the last job ended. */
  #busySinceMs = 0

  constructor(options: AdmissionOptions) {
    this.#options = options
  }

  get queue(): QueueForecast {
    const waiting = this.#waiting()
    const workMs = waiting.reduce((sum, job) => sum + job.workMs, 0)
    return { waiting: waiting.length, workMs, waitMs: this.#drainMs(workMs) }
  }

  /** @throws ApiError `overloaded` where no job at all would be admitted */
  assertOpen(): void {
    this.#assertRoom(0)
  }

  /** @throws ApiError `overloaded`, with the seconds after which there should be room. */
  admit(jobId: string, workMs: number, nowMs: number): void {
    this.#assertRoom(workMs)
    if (this.#jobs.size === 0) this.#busySinceMs = nowMs
    this.#jobs.set(jobId, { workMs, started: false })
  }

  /** The job left the queue for a sequence. */
  started(jobId: string): void {
    const job = this.#jobs.get(jobId)
    if (job !== undefined) job.started = true
  }

  /** The job is over, however it ended. One that never ran tells nothing of the pace. */
  ended(jobId: string, nowMs: number): void {
    const job = this.#jobs.get(jobId)
    if (job === undefined) return
    this.#jobs.delete(jobId)
    if (!job.started) return
    const { workMs, busyMs } = this.#drained
    this.#drained.workMs = DRAIN_MEMORY * workMs + job.workMs
    this.#drained.busyMs = DRAIN_MEMORY * busyMs + nowMs - this.#busySinceMs
    this.#busySinceMs = nowMs
  }

  #assertRoom(workMs: number): void {
    const { runningMax, queueLengthMax, queuedWorkMsMax, queueWaitMsMax } = this.#options
    if (this.#jobs.size < runningMax) return
    const waiting = this.#waiting()
    const queuedMs = waiting.reduce((sum, job) => sum + job.workMs, 0)
    if (this.#jobs.size >= runningMax + queueLengthMax) {
      throw this.#overloaded(
        `${queueLengthMax} jobs are waiting`,
        queuedMs / waiting.length || workMs,
      )
    }
    // A job of any size may wait alone.
    if (queuedMs === 0) return
    const excessMs = queuedMs + workMs - queuedWorkMsMax
    if (excessMs > 0) {
      throw this.#overloaded(`the waiting jobs are ${Math.round(queuedMs)} ms of work`, excessMs)
    }
    // Whoever waits longer than it is promised is served for nothing, and keeps others waiting.
    const waitMs = this.#drainMs(queuedMs)
    if (waitMs > queueWaitMsMax) {
      const lateMs = waitMs - queueWaitMsMax
      const text = `a job would wait ${Math.round(waitMs)} ms`
      throw this.#overloaded(text, (queuedMs * lateMs) / waitMs)
    }
  }

  /** `excessMs`: the work that must drain before there is room. */
  #overloaded(reason: string, excessMs: number): ApiError {
    const retryAfterSeconds = this.#drainMs(excessMs) / 1000
    return new ApiError('overloaded', `the queue is full: ${reason}`, { retryAfterSeconds })
  }

  #waiting(): AdmittedJob[] {
    return [...this.#jobs.values()].filter(({ started }) => !started)
  }

  /** How long so much predicted work takes at the pace of late. */
  #drainMs(work: number): number {
    const { workMs, busyMs } = this.#drained
    return (work * busyMs) / workMs
  }
}
