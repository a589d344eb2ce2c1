import { Counter, Histogram, type Registry } from '@prometheus-io/client'
import { ERRORS, type ErrorCode, type Usage } from '@setblock/shared'
import type { StoreTier } from '../sessions/object-store.ts'
import { BUCKETS, gammaLabel } from './buckets.ts'

/** Where a job was when its client left. */
export type Stage = 'queue' | 'prefill' | 'decode'

export type JobOutcome = 'stop' | 'length' | 'client-gone' | 'error'

/** What is counted of a job that is over. Times are milliseconds. */
export interface JobSummary {
  readonly model: string
  readonly mode: string
  readonly gamma: number
  readonly outcome: JobOutcome
  readonly code: ErrorCode | undefined
  readonly durationMs: number
  readonly ttftMs: number | undefined
  readonly usage: Usage | undefined
  /** Prompt tokens, and those that were cached already, if the job has started. */
  readonly prompt: { readonly tokens: number; readonly cached: number } | undefined
  readonly left: { readonly stage: Stage; readonly cancelMs: number | undefined } | undefined
  readonly saveMs: number | undefined
}

/** Histograms and counters of jobs, fed from the main thread as their events pass through it. */
export class JobMetrics {
  readonly #registry: Registry
  readonly #ttft
  readonly #interToken
  readonly #interChunk
  readonly #duration
  readonly #queue
  readonly #prefill
  readonly #decode
  readonly #tokensPerForward
  readonly #gamma
  readonly #restore
  readonly #save
  readonly #cancel
  readonly #jobs
  readonly #errors
  readonly #refused
  readonly #disconnects
  readonly #promptTokens
  readonly #cachedTokens
  readonly #accepted

  constructor(registry: Registry) {
    this.#registry = registry
    const { wait, gap, duration, tokensPerForward, nats } = BUCKETS
    const byMode = ['mode'] as const
    this.#ttft = this.#histogram('time_to_first_token_seconds', wait, byMode, FIRST_TOKEN)
    this.#interToken = this.#histogram('inter_token_latency_seconds', gap, byMode, GAP_TOKEN)
    this.#interChunk = this.#histogram('inter_chunk_latency_seconds', gap, byMode, GAP_CHUNK)
    this.#duration = this.#histogram('e2e_request_latency_seconds', duration, byMode, WHOLE)
    this.#queue = this.#histogram('request_queue_time_seconds', wait, [], 'Wait for a sequence')
    this.#prefill = this.#histogram('request_prefill_time_seconds', wait, [], PREFILL)
    this.#decode = this.#histogram('request_decode_time_seconds', duration, byMode, DECODE)
    this.#tokensPerForward = this.#histogram(
      'tokens_per_forward',
      tokensPerForward,
      ['mode', 'gamma'],
      'Tokens of a job by its decode forwards; gamma: upper bound of the requested one',
    )
    this.#gamma = this.#histogram('gamma_effective', nats, [], 'Mean entropy bound in force, nats')
    this.#restore = this.#histogram('session_restore_seconds', wait, ['result'], RESTORE)
    this.#save = this.#histogram('session_save_seconds', wait, [], 'Making a turn durable')
    this.#cancel = this.#histogram('cancel_latency_seconds', wait, [], CANCEL)
    this.#jobs = this.#counter('jobs_total', ['mode', 'outcome'], 'Jobs that are over')
    this.#errors = this.#counter('job_errors_total', ['code'], 'Jobs that ended in an error')
    this.#refused = this.#counter('jobs_refused_total', ['code'], 'Jobs that were not taken')
    this.#disconnects = this.#counter('disconnects_total', ['stage'], 'Clients that left a job')
    this.#promptTokens = this.#counter('prompt_tokens_total', [], 'Prompt tokens of started jobs')
    this.#cachedTokens = this.#counter('cached_tokens_total', [], CACHED)
    this.#accepted = this.#counter(
      'spec_decode_num_accepted_tokens_per_pos_total',
      ['position'],
      'Draft tokens accepted by their place in the draft, of jobs that ended',
    )
  }

  /** Begins the counts of what alerts watch at zero: a counter's first sight of a series is no increase. */
  begin(model: string): void {
    for (const code of WATCHED) {
      this.#refused.inc({ model, code }, 0)
      this.#errors.inc({ model, code }, 0)
    }
  }

  /** A job could not be taken; `overloaded` is the one that says that there is too much to do. */
  refused(model: string, code: ErrorCode): void {
    this.#refused.inc({ model, code }, 1)
  }

  /** The known keys and values of a job's prompt were looked for, in `ms`. */
  restored(model: string, from: StoreTier | 'none', ms: number): void {
    this.#restore.observe({ model, result: from }, ms / 1000)
  }

  /** Tokens came, `ms` after those before. */
  revealed(labels: { model: string; mode: string }, ms: number, tokens: number): void {
    this.#interChunk.observe(labels, ms / 1000)
    for (let token = 0; token < tokens; token++) {
      this.#interToken.observe(labels, ms / tokens / 1000)
    }
  }

  ended(job: JobSummary): void {
    const { model, mode, outcome, code, durationMs, ttftMs, prompt, left, saveMs } = job
    this.#jobs.inc({ model, mode, outcome }, 1)
    if (code !== undefined && code in ERRORS) this.#errors.inc({ model, code }, 1)
    this.#duration.observe({ model, mode }, durationMs / 1000)
    if (ttftMs !== undefined) this.#ttft.observe({ model, mode }, ttftMs / 1000)
    if (saveMs !== undefined) this.#save.observe({ model }, saveMs / 1000)
    this.#promptTokens.inc({ model }, prompt?.tokens ?? 0)
    this.#cachedTokens.inc({ model }, prompt?.cached ?? 0)
    if (left !== undefined) this.#disconnects.inc({ model, stage: left.stage }, 1)
    if (left?.cancelMs !== undefined) this.#cancel.observe({ model }, left.cancelMs / 1000)
    if (job.usage !== undefined) this.#account(job, job.usage)
  }

  #account({ model, mode, gamma }: JobSummary, usage: Usage): void {
    this.#queue.observe({ model }, usage.queueMs / 1000)
    this.#prefill.observe({ model }, usage.prefillMs / 1000)
    this.#decode.observe({ model, mode }, usage.decodeMs / 1000)
    const labels = { model, mode, gamma: gammaLabel(mode, gamma) }
    this.#tokensPerForward.observe(labels, usage.tokensPerForward)
    if (usage.effectiveGamma !== null) this.#gamma.observe({ model }, usage.effectiveGamma)
    for (const [index, { accepted }] of usage.drafts?.positions.entries() ?? []) {
      this.#accepted.inc({ model, position: String(index + 1) }, accepted)
    }
  }

  #histogram(
    name: string,
    buckets: readonly number[],
    labels: readonly string[],
    help: string,
  ): Histogram<string> {
    return new Histogram({
      name: `setblock_${name}`,
      help,
      buckets: [...buckets],
      labelNames: ['model', ...labels],
      registers: [this.#registry],
    })
  }

  #counter(name: string, labels: readonly string[], help: string): Counter<string> {
    const labelNames = ['model', ...labels]
    return new Counter({
      name: `setblock_${name}`,
      help,
      labelNames,
      registers: [this.#registry],
    })
  }
}

const WATCHED: readonly ErrorCode[] = [
  'overloaded',
  'session_unavailable',
  'deadline_exceeded',
  'internal_error',
]
const FIRST_TOKEN = 'From the arrival of a job to its first token'
const GAP_TOKEN = 'Gap between two reveals divided by the tokens it brought, once for each token'
const GAP_CHUNK = 'Gap between two reveals of a job'
const WHOLE = 'From the arrival of a job to its last event'
const PREFILL = 'From the first forward to the first reveal'
const DECODE = 'From the first reveal to the end'
const RESTORE =
  'Finding the known keys and values of a prompt; result: the farthest place they were in'
const CANCEL = 'From a client leaving to its job leaving the engine'
const CACHED = 'Prompt tokens whose keys and values were known'
