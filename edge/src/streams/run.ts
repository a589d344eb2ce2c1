import { ApiError } from '@setblock/shared'
import { EventLog } from './event-log.ts'

/** How an answer begins. */
export interface AnswerHead {
  readonly status: number
  readonly contentType: string
  /** Headers that tell whether and when to try again; of refusals only, which are not stored. */
  readonly advice?: readonly (readonly [name: string, value: string])[]
}

export const isStream = ({ contentType }: AnswerHead): boolean =>
  contentType.startsWith('text/event-stream')

export interface RunOptions {
  readonly place: string
  /** Tenant that may read it. */
  readonly owner: string
  /** Of the request's path and body. */
  readonly digest: string
  /** Goes on for a while when nobody reads it. */
  readonly resumable: boolean
  /** How long the whole answer stays, in milliseconds. */
  readonly keepMs: number
}

/** What is kept of an answer that has ended well. */
export interface StoredAnswer extends Pick<RunOptions, 'place' | 'owner' | 'digest'> {
  readonly head: AnswerHead
  readonly frames: readonly string[]
  /** Unix milliseconds. */
  readonly expiresAt: number
}

/** `refused`: no generation came of it. `failed`: one that ended in an error. */
export type RunState = 'running' | 'done' | 'failed' | 'refused' | 'cancelled'

/**
 * One answer, in the making or made, that can be read more than once: the events of a stream, or
 * the whole body as its only entry.
 */
export class Run {
  readonly options: RunOptions
  readonly log: EventLog
  /** Aborts the generation. */
  readonly controller = new AbortController()
  /** Resolves when the answer's head is known; rejects when it never will be. */
  readonly opened: Promise<AnswerHead>
  /** Resolves when nothing follows. */
  readonly ended: Promise<void>
  #state: RunState = 'running'
  readonly #opening = Promise.withResolvers<AnswerHead>()
  readonly #ending = Promise.withResolvers<void>()

  constructor(options: RunOptions, charactersMax: number) {
    this.options = options
    this.log = new EventLog(charactersMax)
    this.opened = this.#opening.promise
    this.ended = this.#ending.promise
    this.opened.catch(() => undefined)
  }

  get state(): RunState {
    return this.#state
  }

  begin(head: AnswerHead): void {
    this.#opening.resolve(head)
  }

  end(state: Exclude<RunState, 'running'>): void {
    if (this.#state !== 'running') return
    this.#state = state
    const cancelled = new ApiError('aborted', 'the generation was cancelled')
    this.#opening.reject(cancelled)
    // Nothing in the log says that the text is cut short, so its readers are told.
    this.log.end(state === 'cancelled' ? cancelled : undefined)
    this.#ending.resolve()
  }
}
