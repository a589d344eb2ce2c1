import type { Job, Usage } from '@setblock/shared'
import type { Outcome, Reveal } from '../decoding/decoder.ts'
import type { Phase } from '../decoding/job-decoder.ts'

/** What one forward did for a job. */
export interface ForwardDone {
  readonly phase: Phase
  /** Rows computed. */
  readonly rows: number
  readonly outcome: Outcome
  readonly nowMs: number
}

/** What a job has cost so far. Times are milliseconds of the scheduler's clock. */
export class JobAccount {
  readonly #job: Job
  readonly #queueMs: number
  readonly #startedMs: number
  readonly #cachedTokens: number
  readonly #forwards = { prefill: 0, decode: 0 }
  readonly #rows = { total: 0, wasted: 0 }
  readonly #places: { drafted: number; accepted: number }[]
  readonly #textEnd = new TextEnd()
  #firstRevealMs: number | undefined
  /** Nats above the job's own bound, summed over the decode forwards. */
  #gammaRaised = 0

  constructor(job: Job, start: { queueMs: number; startedMs: number; cachedTokens: number }) {
    this.#job = job
    this.#queueMs = start.queueMs
    this.#startedMs = start.startedMs
    this.#cachedTokens = start.cachedTokens
    const places = job.decoding.mode === 'verified' ? job.decoding.blockLength : 0
    this.#places = Array.from({ length: places }, () => ({ drafted: 0, accepted: 0 }))
  }

  add({ phase, rows, outcome, nowMs }: ForwardDone): void {
    this.#forwards[phase] += 1
    this.#rows.total += rows
    this.#rows.wasted += rows - outcome.usedRows
    const { gamma } = this.#job.decoding
    this.#gammaRaised += (outcome.gamma ?? gamma) - gamma
    for (const [place, counts] of this.#places.entries()) {
      if (place < (outcome.draft?.length ?? 0)) counts.drafted += 1
      if (place < (outcome.draft?.accepted ?? 0)) counts.accepted += 1
    }
    if (outcome.reveal !== undefined) this.#addReveal(outcome.reveal, nowMs)
  }

  #addReveal({ positions, tokenIds }: Reveal, nowMs: number): void {
    if (positions.length === 0) return
    this.#firstRevealMs ??= nowMs
    this.#textEnd.add(positions, tokenIds, this.#job.stopTokenIds)
  }

  /** The account at the end of the job. */
  usage(nowMs: number): Usage {
    const promptTokens = this.#job.tokenIds.length
    const completionTokens = this.#textEnd.position - promptTokens
    const firstRevealMs = this.#firstRevealMs ?? nowMs
    const { mode, gamma } = this.#job.decoding
    const raised = this.#gammaRaised / this.#forwards.decode
    return {
      promptTokens,
      cachedTokens: this.#cachedTokens,
      completionTokens,
      forwardPasses: { ...this.#forwards },
      tokensPerForward: completionTokens / this.#forwards.decode,
      queueMs: this.#queueMs,
      prefillMs: firstRevealMs - this.#startedMs,
      decodeMs: nowMs - firstRevealMs,
      effectiveGamma: mode === 'sbd' ? gamma + raised : null,
      rows: { ...this.#rows },
      ...(mode === 'verified' && { drafts: this.#drafts() }),
    }
  }

  /** Places no draft ever reached are left out. */
  #drafts(): NonNullable<Usage['drafts']> {
    const positions = this.#places.filter(({ drafted }) => drafted > 0)
    const sum = (key: 'drafted' | 'accepted'): number =>
      positions.reduce((total, counts) => total + counts[key], 0)
    return { drafted: sum('drafted'), accepted: sum('accepted'), positions }
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
