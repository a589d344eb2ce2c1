import { abortable } from '../stream/abortable.ts'

/**
 * The events of one stream, numbered from 1, for any number of readers. It holds the latest of them
 * up to a bound; who reads so slowly that an event is gone before it was read learns of it.
 */
export class EventLog {
  readonly #charactersMax: number
  #frames: string[] = []
  #dropped = 0
  #characters = 0
  #end: { readonly failure: Error | undefined } | undefined
  #name: string | undefined
  #news = Promise.withResolvers<void>()

  constructor(charactersMax: number) {
    this.#charactersMax = charactersMax
  }

  /** Events so far, those dropped included. */
  get length(): number {
    return this.#dropped + this.#frames.length
  }

  /** Number of the oldest event that is still here. */
  get first(): number {
    return this.#dropped + 1
  }

  get characters(): number {
    return this.#characters
  }

  /** The run that the events' ids name; undefined before the first. */
  get name(): string | undefined {
    return this.#name
  }

  /** All frames; meant for logs that never dropped any. */
  get frames(): readonly string[] {
    return this.#frames
  }

  append(frame: string): void {
    if (this.length === 0) this.#name = /^id: (\w+)-1\n/.exec(frame)?.[1]
    this.#frames.push(frame)
    this.#characters += frame.length
    while (this.#characters > this.#charactersMax && this.#frames.length > 1) {
      this.#characters -= (this.#frames.shift() as string).length
      this.#dropped += 1
    }
    this.#tell()
  }

  /** No event follows. Whoever reads to here gets the failure, if there is one. */
  end(failure?: Error): void {
    this.#end = { failure }
    this.#tell()
  }

  /** Events after number `after`, those to come included; `onGap` makes the error for lost ones. */
  async *follow(after: number, signal: AbortSignal, onGap: () => Error): AsyncGenerator<string> {
    for (let next = after + 1; ;) {
      if (next < this.first) throw onGap()
      const frame = this.#frames[next - this.first]
      if (frame !== undefined) {
        next += 1
        yield frame
      } else if (this.#end !== undefined) {
        if (this.#end.failure !== undefined) throw this.#end.failure
        return
      } else {
        await abortable(this.#news.promise, signal)
      }
    }
  }

  #tell(): void {
    this.#news.resolve()
    this.#news = Promise.withResolvers<void>()
  }
}
