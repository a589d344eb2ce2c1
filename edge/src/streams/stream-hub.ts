import { ApiError } from '@setblock/shared'
import type { EdgeLimits } from '../limits.ts'
import { ClientLost } from '../stream/relay.ts'
import { Run } from './run.ts'
import type { AnswerHead, RunOptions, RunState, StoredAnswer } from './run.ts'

interface Entry {
  readonly run: Run
  readers: number
  expiresAt: number
  abandoned: ReturnType<typeof setTimeout> | undefined
}

export interface StreamHubOptions {
  clock: () => number
  limits: Pick<
    EdgeLimits,
    'keptStreamsMax' | 'keptCharactersMax' | 'streamCharactersMax' | 'resumeGraceMs'
  >
  /** Told of each answer that ended well, so that it may outlive this process. */
  onDone?: (answer: StoredAnswer) => void
  /** Told when an answer is forgotten. */
  onDrop?: () => void
}

/**
 * Answers that can be read again: those running and, for a while, those that have ended. In memory
 * and bounded: when it is full, the oldest ended ones make room, and without any it refuses.
 */
export class StreamHub {
  readonly #options: StreamHubOptions
  readonly #entries = new Map<string, Entry>()
  #characters = 0

  constructor(options: StreamHubOptions) {
    this.#options = options
  }

  find(place: string): Run | undefined {
    const entry = this.#entries.get(place)
    if (entry === undefined || entry.expiresAt > this.#options.clock()) return entry?.run
    this.drop(entry.run)
    return undefined
  }

  /** A new run at a free place. Throws `overloaded` when nothing can make room for it. */
  open(options: RunOptions): Run {
    const { keptStreamsMax } = this.#options.limits
    this.#forgetExpired()
    this.#evict(() => this.#entries.size >= keptStreamsMax)
    if (this.#entries.size >= keptStreamsMax) {
      throw new ApiError('overloaded', 'too many streams are being kept here')
    }
    return this.#enter(new Run(options, this.#options.limits.streamCharactersMax)).run
  }

  /** Puts back an answer that ended in an earlier life. */
  restore({ head, frames, expiresAt, ...options }: StoredAnswer): void {
    const { streamCharactersMax } = this.#options.limits
    const run = new Run({ ...options, resumable: false, keepMs: 0 }, streamCharactersMax)
    this.#enter(run).expiresAt = expiresAt
    run.begin(head)
    for (const frame of frames) this.append(run, frame)
    run.end('done')
  }

  /** Forgets a run; one that still runs is cancelled. */
  drop(run: Run): void {
    const entry = this.#entries.get(run.options.place)
    if (entry?.run === run) {
      clearTimeout(entry.abandoned)
      this.#entries.delete(run.options.place)
      this.#characters -= run.log.characters
      this.#options.onDrop?.()
    }
    if (run.state !== 'running') return
    run.controller.abort(new ClientLost('client-gone'))
    run.end('cancelled')
  }

  /** Counts a reader in; the function given counts it out, once. The last one out may end the run. */
  join(run: Run): () => void {
    const entry = this.#entries.get(run.options.place)
    if (entry?.run !== run) return () => undefined
    entry.readers += 1
    clearTimeout(entry.abandoned)
    let inside = true
    return () => {
      if (!inside) return
      inside = false
      entry.readers -= 1
      if (entry.readers > 0 || run.state !== 'running') return
      const { resumeGraceMs } = this.#options.limits
      if (!run.options.resumable) this.drop(run)
      else entry.abandoned = setTimeout(() => this.drop(run), resumeGraceMs)
    }
  }

  /** Adds an event, or a whole body, and makes room for it. */
  append(run: Run, frame: string): void {
    const before = run.log.characters
    run.log.append(frame)
    if (this.#entries.get(run.options.place)?.run !== run) return
    this.#characters += run.log.characters - before
    this.#evict(() => this.#characters > this.#options.limits.keptCharactersMax)
  }

  /** Ends a run: what ended well stays for its time, what failed for as long as one may resume. */
  end(run: Run, head: AnswerHead, state: Exclude<RunState, 'running'>): void {
    const whole = state === 'done' && run.log.first === 1
    run.end(state)
    const entry = this.#entries.get(run.options.place)
    if (entry?.run !== run) return
    if (state === 'refused' || state === 'cancelled') {
      this.drop(run)
      return
    }
    clearTimeout(entry.abandoned)
    const { clock, limits, onDone } = this.#options
    entry.expiresAt = clock() + (whole ? run.options.keepMs : limits.resumeGraceMs)
    if (!whole) return
    const { place, owner, digest } = run.options
    onDone?.({ place, owner, digest, head, frames: run.log.frames, expiresAt: entry.expiresAt })
  }

  /** Cancels what runs and forgets everything. */
  close(): void {
    for (const { run } of this.#entries.values()) this.drop(run)
  }

  #enter(run: Run): Entry {
    const entry = { run, readers: 0, expiresAt: Number.POSITIVE_INFINITY, abandoned: undefined }
    this.#entries.set(run.options.place, entry)
    return entry
  }

  /** Nobody may ask for an answer again, and yet it must not stay. */
  #forgetExpired(): void {
    const now = this.#options.clock()
    for (const { run, expiresAt } of this.#entries.values()) if (expiresAt <= now) this.drop(run)
  }

  /** Forgets ended runs that nobody reads, oldest first, while there is too much. */
  #evict(tooMuch: () => boolean): void {
    if (!tooMuch()) return
    for (const { run, readers } of this.#entries.values()) {
      if (run.state !== 'running' && readers === 0) this.drop(run)
      if (!tooMuch()) return
    }
  }
}
