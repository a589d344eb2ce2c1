import type { Job, JobEvent } from '@setblock/shared'
import type { Outcome, RowGrant } from '../decoding/decoder.ts'
import type { GrammarPlace } from '../decoding/grammar-place.ts'
import { JobDecoder, type JobDemand } from '../decoding/job-decoder.ts'
import type { ForwardRows, RowResults } from '../decoding/rows.ts'
import { rowCount } from '../engine/attention-mask.ts'
import type { SequenceId } from '../engine/engine.ts'
import { JobAccount, type ForwardDone } from './job-account.ts'
import type { KvCarry } from './kv-carry.ts'
import { LatencyBudget } from './latency-budget.ts'
import { FIRST_PACE, type StreamPace } from './plan-rows.ts'

export type Emit = (event: JobEvent) => void

/** A job that waits for a sequence. */
export interface WaitingJob {
  readonly job: Job
  readonly emit: Emit
  /** Keys and values that are known already, and where new ones go. */
  readonly carry?: KvCarry | undefined
  /** Milliseconds of the scheduler's clock. */
  readonly submittedMs: number
}

export interface Settled {
  readonly done: ForwardDone
  /** The last event, to be sent when the sequence has been given back. */
  readonly end?: JobEvent
}

export interface JobStart {
  readonly sequence: SequenceId
  readonly maskTokenId: number
  /** Prompt tokens whose keys and values the sequence holds. */
  readonly cachedTokens: number
  readonly grammar: GrammarPlace | undefined
  readonly nowMs: number
}

/** Weight of the newest forward in a stream's pace. */
const NEWEST_WEIGHT = 0.1

/** A job that holds a sequence: its decoder and the account of what it has cost. */
export class JobRun {
  readonly sequence: SequenceId
  readonly job: Job
  readonly submittedMs: number
  readonly emit: Emit
  readonly carry: KvCarry | undefined
  readonly #decoder: JobDecoder
  readonly #account: JobAccount
  readonly #budget: LatencyBudget | undefined
  #rows = 0
  #decodeForwards = 0
  #pace = FIRST_PACE

  constructor(waiting: WaitingJob, start: JobStart) {
    const { job, submittedMs } = waiting
    const { sequence, maskTokenId, cachedTokens, nowMs } = start
    this.carry = waiting.carry
    this.sequence = sequence
    this.job = job
    this.emit = waiting.emit
    this.submittedMs = submittedMs
    this.#decoder = new JobDecoder(job, maskTokenId, cachedTokens, start.grammar)
    const queueMs = Math.max(0, nowMs - submittedMs)
    this.#account = new JobAccount(job, { queueMs, startedMs: nowMs, cachedTokens })
    if (job.latencyBudgetMs !== undefined) {
      this.#budget = new LatencyBudget(submittedMs + job.latencyBudgetMs)
    }
    this.emit({ type: 'start', promptTokens: job.tokenIds.length, cachedTokens, queueMs })
  }

  /** Undefined until the job has decoded. */
  get pace(): StreamPace | undefined {
    return this.#decodeForwards > 0 ? this.#pace : undefined
  }

  demand(rowPrice: number): JobDemand {
    return this.#decoder.demand(rowPrice)
  }

  plan(grant: RowGrant): ForwardRows {
    const rows = this.#decoder.plan(grant)
    this.#rows = rowCount(rows)
    return rows
  }

  settle(results: RowResults, nowMs: number): Settled {
    const { phase } = this.#decoder
    if (phase === 'decode') this.#budget?.forwardDone(nowMs)
    const outcome = this.#decoder.settle(results, this.#budget?.forwardsLeft(nowMs))
    const done = { phase, rows: this.#rows, outcome, nowMs }
    this.#account.add(done)
    if (phase === 'decode') this.#updatePace(outcome)
    this.#emitReveal(outcome)
    const { finish } = outcome
    if (finish === undefined) return { done }
    const usage = this.#account.usage(nowMs)
    return { done, end: { type: 'end', finishReason: finish, usage } }
  }

  /** The first decode forward carries prompt rows, so it tells nothing. */
  #updatePace({ reveal }: Outcome): void {
    const weight = Math.max(NEWEST_WEIGHT, 1 / (this.#decodeForwards + 1))
    this.#decodeForwards += 1
    if (this.#decodeForwards === 1) return
    const { tokens, rows } = this.#pace
    this.#pace = {
      tokens: tokens + weight * ((reveal?.positions.length ?? 0) - tokens),
      rows: rows + weight * (this.#rows - rows),
    }
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
