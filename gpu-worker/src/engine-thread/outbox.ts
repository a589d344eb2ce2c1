import type { JobEvent } from '@setblock/shared'
import type { AddressedEvent } from './protocol.ts'

/**
 * Events on their way to the main thread. A message costs more than what is in it, on both sides, so the reveals of one
 * turn of the step loop cross together, before the next forward. How a job begins and ends is told at once.
 */
export class Outbox {
  readonly #send: (events: readonly AddressedEvent[]) => void
  #waiting: AddressedEvent[] = []

  constructor(send: (events: readonly AddressedEvent[]) => void) {
    this.#send = send
  }

  add(jobId: string, event: JobEvent): void {
    this.#waiting.push({ jobId, event })
    if (event.type !== 'reveal') this.flush()
    else if (this.#waiting.length === 1) setImmediate(() => this.flush())
  }

  /** Sends what waits, if anything does. */
  flush(): void {
    if (this.#waiting.length === 0) return
    const events = this.#waiting
    this.#waiting = []
    this.#send(events)
  }
}
