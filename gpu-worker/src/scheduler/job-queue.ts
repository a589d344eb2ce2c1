import type { WaitingJob } from './job-run.ts'

interface Entry {
  readonly waiting: WaitingJob
  /** When the job would be done if it had run alone since it came, ms. */
  readonly dueMs: number
}

/**
 * Jobs that wait for a sequence, the one that would have been done first ahead. A short job overtakes a long one, but
 * nobody waits forever: whoever comes more than a job's own work after it stays behind it.
 */
export class JobQueue {
  #entries: Entry[] = []

  get length(): number {
    return this.#entries.length
  }

  add(waiting: WaitingJob, workMs: number): void {
    const dueMs = waiting.submittedMs + workMs
    const later = this.#entries.findIndex((entry) => entry.dueMs > dueMs)
    const at = later === -1 ? this.#entries.length : later
    this.#entries.splice(at, 0, { waiting, dueMs })
  }

  take(): WaitingJob | undefined {
    return this.#entries.shift()?.waiting
  }

  has(jobId: string): boolean {
    return this.#entries.some(({ waiting }) => waiting.job.id === jobId)
  }

  /** Takes out everyone whom `leaves` names. */
  remove(leaves: (waiting: WaitingJob) => boolean): void {
    if (this.#entries.length === 0) return
    this.#entries = this.#entries.filter(({ waiting }) => !leaves(waiting))
  }
}
