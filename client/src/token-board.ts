import type { GenerationEvent } from './wire.ts'

/** A place in the answer: a token, or a hole that tokens after it were revealed over. */
export type BoardToken = Hole | Revealed

interface Hole {
  /** Absolute, as on the wire. */
  readonly position: number
  readonly revealed: false
}

interface Revealed {
  readonly position: number
  readonly revealed: true
  readonly id: number
  readonly text: string
  /** Ordinal of the forward pass that revealed it, from 0. */
  readonly step: number
  /** Nats, where the server tells it. */
  readonly entropy?: number
}

/** An answer as it fills up: every place from its first token to the last one revealed. */
export class TokenBoard {
  #start = 0
  #tokens: readonly BoardToken[] = []
  #frontier = 0

  /** In order of position. A new array for every change. */
  get tokens(): readonly BoardToken[] {
    return this.#tokens
  }

  /** Index of the first hole: what is before it can be read. */
  get frontier(): number {
    return this.#frontier
  }

  /** Takes any event of a generation; only `start` and `reveal` matter here. */
  apply(event: GenerationEvent): void {
    if (event.type === 'start') this.#start = event.prompt_tokens
    if (event.type !== 'reveal') return
    const tokens = [...this.#tokens]
    for (const { position, ...token } of event.tokens) {
      const index = position - this.#start
      while (tokens.length < index) {
        tokens.push({ position: this.#start + tokens.length, revealed: false })
      }
      tokens[index] = { position, revealed: true, step: event.step, ...token }
    }
    this.#tokens = tokens
    while (tokens[this.#frontier]?.revealed === true) this.#frontier += 1
  }
}
