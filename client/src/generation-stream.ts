import { clientError } from './errors.ts'
import type {
  EndEvent,
  FinishReason,
  GenerationEvent,
  RevealEvent,
  SessionVersion,
  StartEvent,
  Usage,
} from './wire.ts'

/** A generation that has come to its end. */
export interface Answer {
  id: string
  model: string
  seed: number
  text: string
  finish_reason: FinishReason
  usage: Usage
  session?: SessionVersion
}

/** Opens the events of a generation; they end soon after the signal aborts. */
export type EventSource = (signal: AbortSignal) => AsyncIterable<GenerationEvent>

/**
 * A generation under way. It begins at once and is read in the background; every loop over it starts at the first
 * event, so that text and reveals can be followed side by side, or late. Leaving the last running loop early aborts it.
 */
export class GenerationStream implements AsyncIterable<GenerationEvent> {
  /** Rejects with the SetblockError that ended the generation; with code `aborted` after abort(). */
  readonly answer: Promise<Answer>
  /** Of the answer. */
  readonly usage: Promise<Usage>
  readonly #controller = new AbortController()
  readonly #log: GenerationEvent[] = []
  readonly #readers = new Set<symbol>()
  #wakers: (() => void)[] = []
  #state: 'open' | 'over' = 'open'
  #text = ''

  /** @param signal Aborts the generation like abort(). */
  constructor(open: EventSource, signal?: AbortSignal) {
    const { signal: aborted } = this.#controller
    const forward = (): void => this.abort()
    if (signal?.aborted) forward()
    signal?.addEventListener('abort', forward)
    this.answer = this.#pump(open(aborted)).finally(() => {
      signal?.removeEventListener('abort', forward)
      this.#state = 'over'
      this.#wake()
    })
    this.usage = this.answer.then(({ usage }) => usage)
    // Whoever reads the loop alone must not be punished for not looking here as well.
    this.answer.catch(() => undefined)
    this.usage.catch(() => undefined)
  }

  /** Every event. Ends quietly after abort(); throws the SetblockError of a generation that failed. */
  [Symbol.asyncIterator](): AsyncGenerator<GenerationEvent> {
    return this.#read((event) => event)
  }

  /** The text, piece by piece. */
  text(): AsyncGenerator<string> {
    return this.#read((event) => (event.type === 'text' ? event.delta : undefined))
  }

  /** The reveals alone; none if the request says `reveals: false`. */
  reveals(): AsyncGenerator<RevealEvent> {
    return this.#read((event) => (event.type === 'reveal' ? event : undefined))
  }

  /** The text that is there by now. */
  get textSoFar(): string {
    return this.#text
  }

  get aborted(): boolean {
    return this.#controller.signal.aborted
  }

  /** Ends the generation, here and on the server. Nothing happens after its end. */
  abort(): void {
    if (this.#state === 'open') this.#controller.abort()
  }

  async #pump(events: AsyncIterable<GenerationEvent>): Promise<Answer> {
    let start: StartEvent | undefined
    let end: EndEvent | undefined
    try {
      for await (const event of events) {
        if (this.aborted) break
        if (event.type === 'start') start = event
        if (event.type === 'text') this.#text += event.delta
        if (event.type === 'end') end = event
        this.#log.push(event)
        this.#wake()
      }
    } catch (error) {
      if (!this.aborted) throw error
    }
    if (this.aborted) throw clientError('aborted', 'the generation was aborted')
    if (start === undefined || end === undefined) {
      throw clientError('invalid_answer', 'the answer has no start or no end')
    }
    const { id, model, seed } = start
    const { type: _, ...rest } = end
    return { id, model, seed, text: this.#text, ...rest }
  }

  async *#read<T>(select: (event: GenerationEvent) => T | undefined): AsyncGenerator<T> {
    const reader = Symbol('reader')
    this.#readers.add(reader)
    try {
      for (let at = 0; ; at += 1) {
        while (at >= this.#log.length && this.#state === 'open') await this.#change()
        const event = this.#log[at]
        if (event === undefined) break
        const value = select(event)
        if (value !== undefined) yield value
      }
      if (!this.aborted) await this.answer
    } finally {
      this.#readers.delete(reader)
      if (this.#readers.size === 0) this.abort()
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wakers.push(resolve))
  }

  #wake(): void {
    for (const resolve of this.#wakers.splice(0)) resolve()
  }
}
