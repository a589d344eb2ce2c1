import {
  type EndEvent,
  type ErrorCode,
  type ErrorEvent,
  type Job,
  type JobEvent,
} from '@setblock/shared'
import type { Attributes } from '@opentelemetry/api'
import type { JobMetrics, JobOutcome, JobSummary, Stage } from '../metrics/job-metrics.ts'
import type { Prefix } from '../sessions/kv-blocks.ts'
import type { TracedJob } from '../tracing/job-trace.ts'
import { StepSamples } from '../tracing/step-samples.ts'
import type { LogFields } from './log.ts'

/** Moments of a job on one monotonic clock, milliseconds. */
export interface JobTimes {
  readonly arrived: number
  prepared?: number
  started?: number
  firstReveal?: number
  firstToken?: number
  lastReveal?: number
  left?: number
  /** The engine's last event. */
  ended?: number
  /** The turn is durable, or given up. */
  over?: number
}

/**
 * What happened to one job and when, taken down as its events pass: all that its log line, the metrics and its spans say.
 * It holds counts, codes and times, and no token.
 */
export class JobWatch {
  readonly #job: Job
  readonly #metrics: JobMetrics
  readonly #now: () => number
  readonly times: JobTimes
  #restoredFrom: Prefix['from'] = 'none'
  #prompt: JobSummary['prompt']
  #tokens = 0
  #reveals = 0
  readonly #steps = new StepSamples()
  #last: EndEvent | ErrorEvent | undefined
  #outcome: JobOutcome | 'refused' = 'refused'

  constructor(job: Job, metrics: JobMetrics, now: () => number = () => performance.now()) {
    this.#job = job
    this.#metrics = metrics
    this.#now = now
    this.times = { arrived: now() }
  }

  /** The session and what is known of the prompt have been found. */
  prepared(restoredFrom: Prefix['from']): void {
    const now = this.#now()
    this.times.prepared = now
    this.#restoredFrom = restoredFrom
    this.#metrics.restored(this.#job.model, restoredFrom, now - this.times.arrived)
  }

  /** The engine has said something about the job. */
  observe(event: JobEvent): void {
    const now = this.#now()
    const { times } = this
    switch (event.type) {
      case 'start':
        times.started = now
        this.#prompt = { tokens: event.promptTokens, cached: event.cachedTokens }
        break
      case 'reveal':
        this.#steps.add({ atMs: now, step: event.step, tokens: event.positions.length })
        this.#revealed(event.positions, now)
        break
      case 'end':
      case 'error':
        times.ended = now
        this.#last = event
        break
    }
  }

  #revealed(positions: readonly number[], now: number): void {
    const { times } = this
    const { model, decoding } = this.#job
    const count = positions.length
    if (times.lastReveal !== undefined) {
      this.#metrics.revealed({ model, mode: decoding.mode }, now - times.lastReveal, count)
    }
    times.firstReveal ??= now
    times.lastReveal = now
    this.#tokens += count
    this.#reveals += 1
    // The first token that a client can be shown: those revealed behind it must wait for it.
    if (positions.includes(this.#prompt?.tokens ?? 0)) times.firstToken ??= now
  }

  /** The client has left; the job may go on. */
  left(): void {
    this.times.left ??= this.#now()
  }

  /** The job was never taken. @returns its log line */
  refused(code: ErrorCode): LogFields {
    this.times.over = this.#now()
    this.#metrics.refused(this.#job.model, code)
    return { ...this.#dials(), outcome: 'refused', code, durationMs: this.#since(this.#now()) }
  }

  /** Nothing more will happen to the job, whose client was told `last` if it was still there. @returns its log line */
  over(last: EndEvent | ErrorEvent): LogFields {
    const now = this.#now()
    const { times } = this
    times.over = now
    const { model, session, decoding } = this.#job
    const { mode, gamma } = decoding
    const { left, ended = now } = times
    const gone = left !== undefined && last.type === 'error'
    const code = last.type === 'error' && !gone ? last.code : undefined
    const outcome = gone ? 'client-gone' : last.type === 'end' ? last.finishReason : 'error'
    this.#outcome = outcome
    const ttftMs = times.firstToken === undefined ? undefined : this.#since(times.firstToken)
    const outlived = session?.onDisconnect === 'continue'
    const cancelMs = left === undefined || outlived ? undefined : ended - left
    const durationMs = this.#since(now)
    const usage = last.type === 'end' ? last.usage : undefined
    this.#metrics.ended({
      model,
      mode,
      gamma,
      outcome,
      code,
      durationMs,
      ttftMs,
      usage,
      prompt: this.#prompt,
      left: left === undefined ? undefined : { stage: this.#stageAt(left), cancelMs },
      saveMs: session === undefined ? undefined : now - ended,
    })
    return {
      ...this.#dials(),
      ...this.#account({ outcome, code, ttftMs, durationMs }),
      ...(cancelMs !== undefined && { cancelMs: round(cancelMs) }),
    }
  }

  /** For the trace, once the job is over. `failure`: the code that it ended in, unless its client left. */
  traced(failure: ErrorCode | undefined): TracedJob {
    const { id, model, decoding, session } = this.#job
    const usage = this.#last?.type === 'end' ? this.#last.usage : undefined
    const { drafted, accepted } = usage?.drafts ?? {}
    const job = {
      'gen_ai.request.model': model,
      'setblock.job': id,
      'setblock.mode': decoding.mode,
      'setblock.outcome': this.#outcome,
    }
    return {
      times: this.times,
      attributes: {
        job,
        restore: { 'setblock.from': this.#restoredFrom },
        prefill: defined({
          'gen_ai.usage.input_tokens': this.#prompt?.tokens,
          'setblock.cached_tokens': this.#prompt?.cached,
          'setblock.forwards': usage?.forwardPasses.prefill,
        }),
        decode: defined({
          'gen_ai.usage.output_tokens': usage?.completionTokens ?? this.#tokens,
          'setblock.forwards': usage?.forwardPasses.decode,
          'setblock.tokens_per_forward': usage?.tokensPerForward,
          'setblock.effective_gamma': usage?.effectiveGamma ?? undefined,
          'setblock.draft_tokens': drafted,
          'setblock.accepted_tokens': accepted,
        }),
      },
      steps: this.#steps.kept,
      failure,
      inSession: session !== undefined,
    }
  }

  #dials(): LogFields {
    const { id, model, decoding, maxTokens, session } = this.#job
    const { mode, gamma } = decoding
    return {
      job: id,
      model,
      mode,
      gamma: mode === 'sbd' ? gamma : null,
      maxTokens,
      inSession: session !== undefined,
    }
  }

  #account(end: {
    outcome: JobOutcome
    code: ErrorCode | undefined
    ttftMs: number | undefined
    durationMs: number
  }): LogFields {
    const usage = this.#last?.type === 'end' ? this.#last.usage : undefined
    return {
      outcome: end.outcome,
      code: end.code ?? null,
      promptTokens: this.#prompt?.tokens ?? null,
      cachedTokens: this.#prompt?.cached ?? null,
      restoredFrom: this.#restoredFrom,
      tokens: usage?.completionTokens ?? this.#tokens,
      reveals: this.#reveals,
      forwards: usage?.forwardPasses.decode ?? null,
      effectiveGamma: usage?.effectiveGamma ?? null,
      queueMs: usage === undefined ? null : round(usage.queueMs),
      ttftMs: end.ttftMs === undefined ? null : round(end.ttftMs),
      durationMs: round(end.durationMs),
    }
  }

  #stageAt(moment: number): Stage {
    const { started = Infinity, lastReveal, firstToken = lastReveal ?? Infinity } = this.times
    if (moment < started) return 'queue'
    return moment < firstToken ? 'prefill' : 'decode'
  }

  #since(moment: number): number {
    return moment - this.times.arrived
  }
}

/** Without what is not known. */
function defined(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined))
}

/** Milliseconds to the microsecond. */
const round = (ms: number): number => Math.round(ms * 1000) / 1000
