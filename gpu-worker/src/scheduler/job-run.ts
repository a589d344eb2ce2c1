import type { Job, JobEvent, Usage } from '@setblock/shared'
import { JobDecoder } from '../decoding/job-decoder.ts'
import type { ForwardRows, RowResults } from '../decoding/rows.ts'
import type { SequenceId } from '../engine/engine.ts'

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
  readonly #queueMs: number
  readonly #startedMs: number
  readonly #forwards = { prefill: 0, decode: 0 }
  #firstRevealMs: number | undefined
  readonly #textEnd = new TextEnd()

  constructor(waiting: WaitingJob, sequence: SequenceId, maskTokenId: number, nowMs: number) {
    this.sequence = sequence
    this.job = waiting.job
    this.emit = waiting.emit
    this.submittedMs = waiting.submittedMs
    this.#decoder = new JobDecoder(waiting.job, maskTokenId)
    this.#startedMs = nowMs
    this.#queueMs = Math.max(0, nowMs - waiting.submittedMs)
    const promptTokens = waiting.job.tokenIds.length
    this.emit({ type: 'start', promptTokens, cachedTokens: 0, queueMs: this.#queueMs })
  }

  plan(): ForwardRows {
    return this.#decoder.plan()
  }

  settle(results: RowResults, nowMs: number): Settled {
    this.#forwards[this.#decoder.phase] += 1
    const { commit, reveal, finish } = this.#decoder.settle(results)
    if (reveal !== undefined && reveal.positions.length > 0) {
      this.#firstRevealMs ??= nowMs
      this.#textEnd.add(reveal.positions, reveal.tokenIds, this.job.stopTokenIds)
      const { block, step, entropies } = reveal
      const base = { type: 'reveal' as const, block, step }
      const tokens = { positions: [...reveal.positions], tokenIds: [...reveal.tokenIds] }
      this.emit({ ...base, ...tokens, ...(entropies && { entropies: [...entropies] }) })
    }
    if (finish === undefined) return { commit, finished: false }
    this.emit({ type: 'end', finishReason: finish, usage: this.#usage(nowMs) })
    return { commit, finished: true }
  }

  #usage(nowMs: number): Usage {
    const { mode, gamma } = this.job.decoding
    const promptTokens = this.job.tokenIds.length
    const completionTokens = this.#textEnd.position - promptTokens
    const firstRevealMs = this.#firstRevealMs ?? nowMs
    return {
      promptTokens,
      cachedTokens: 0,
      completionTokens,
      forwardPasses: { ...this.#forwards },
      tokensPerForward: completionTokens / this.#forwards.decode,
      queueMs: this.#queueMs,
      prefillMs: firstRevealMs - this.#startedMs,
      decodeMs: nowMs - firstRevealMs,
      effectiveGamma: mode === 'sbd' ? gamma : null,
    }
  }
}

/** Where the text ends: after its first stop token, else after the last revealed position. */
class TextEnd {
  #last = 0
  #stop = Number.POSITIVE_INFINITY

  add(positions: readonly number[], tokenIds: readonly number[], stopIds: readonly number[]): void {
    for (const [index, position] of positions.entries()) {
      this.#last = Math.max(this.#last, position)
      if (stopIds.includes(tokenIds[index] as number)) this.#stop = Math.min(this.#stop, position)
    }
  }

  get position(): number {
    return Math.min(this.#last, this.#stop) + 1
  }
}
