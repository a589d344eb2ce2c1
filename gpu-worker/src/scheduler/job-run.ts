import type { Job, JobEvent } from '@setblock/shared'
import type { Outcome } from '../decoding/decoder.ts'
import { JobDecoder } from '../decoding/job-decoder.ts'
import type { ForwardRows, RowResults } from '../decoding/rows.ts'
import { rowCount } from '../engine/attention-mask.ts'
import type { SequenceId } from '../engine/engine.ts'
import { JobAccount } from './job-account.ts'
import { LatencyBudget } from './latency-budget.ts'

export type Emit = (event: JobEvent) => void

/** A job that waits for a sequence. */
export interface WaitingJob {
  readonly job: Job
  readonly emit: Emit
  /** Milliseconds of the scheduler's clock. */
  readonly submittedMs: number
}

export interface Settled {
  readonly commit: number
  readonly finished: boolean
}

/** A job that holds a sequence: its decoder and the account of what it has cost. */
export class JobRun {
  readonly sequence: SequenceId
  readonly job: Job
  readonly submittedMs: number
  readonly emit: Emit
  readonly #decoder: JobDecoder
  readonly #account: JobAccount
  readonly #budget: LatencyBudget | undefined
  #rows = 0

  constructor(waiting: WaitingJob, sequence: SequenceId, maskTokenId: number, nowMs: number) {
    const { job, submittedMs } = waiting
    this.sequence = sequence
    this.job = job
    this.emit = waiting.emit
    this.submittedMs = submittedMs
    this.#decoder = new JobDecoder(job, maskTokenId)
    const queueMs = Math.max(0, nowMs - submittedMs)
    this.#account = new JobAccount(job, { queueMs, startedMs: nowMs })
    if (job.latencyBudgetMs !== undefined) {
      this.#budget = new LatencyBudget(submittedMs + job.latencyBudgetMs)
    }
    this.emit({ type: 'start', promptTokens: job.tokenIds.length, cachedTokens: 0, queueMs })
  }

  plan(): ForwardRows {
    const rows = this.#decoder.plan()
    this.#rows = rowCount(rows)
    return rows
  }

  settle(results: RowResults, nowMs: number): Settled {
    const { phase } = this.#decoder
    if (phase === 'decode') this.#budget?.forwardDone(nowMs)
    const outcome = this.#decoder.settle(results, this.#budget?.forwardsLeft(nowMs))
    this.#account.add({ phase, rows: this.#rows, outcome, nowMs })
    this.#emitReveal(outcome)
    if (outcome.finish === undefined) return { commit: outcome.commit, finished: false }
    this.emit({ type: 'end', finishReason: outcome.finish, usage: this.#account.usage(nowMs) })
    return { commit: outcome.commit, finished: true }
  }

  #emitReveal({ reveal }: Outcome): void {
    if (reveal === undefined || reveal.positions.length === 0) return
    const { block, step, positions, tokenIds, entropies, logprobs } = reveal
    this.emit({
      type: 'reveal',
      block,
      step,
      positions: [...positions],
      tokenIds: [...tokenIds],
      ...(entropies && { entropies: [...entropies] }),
      ...(logprobs && { logprobs: [...logprobs] }),
    })
  }
}
