import type { GenerateOptions } from './client.ts'
import type { GenerationStream } from './generation-stream.ts'
import type { GenerateRequest, GenerateSettings, Message } from './wire.ts'

type Generate = (request: GenerateRequest, options?: GenerateOptions) => GenerationStream

/** What a conversation's requests have in common. */
export interface ChatSettings extends GenerateSettings {
  /** The conversation so far. */
  messages?: readonly Message[]
}

/** A conversation: it remembers what was said, and sends it along with every question. */
export class Chat {
  readonly #generate: Generate
  readonly #settings: GenerateSettings
  #messages: readonly Message[]
  #answering = false

  constructor(generate: Generate, { messages = [], ...settings }: ChatSettings) {
    this.#generate = generate
    this.#settings = settings
    this.#messages = [...messages]
  }

  get messages(): readonly Message[] {
    return this.#messages
  }

  /** Whether an answer is under way. */
  get answering(): boolean {
    return this.#answering
  }

  /** Adds messages without asking for an answer. */
  append(...messages: readonly Message[]): void {
    this.#messages = [...this.#messages, ...messages]
  }

  /**
   * Asks, and answers with the whole conversation in view. Question and answer join the conversation when the answer is
   * over; after an abort, with the text that was there, if any. A generation that fails leaves it as it was.
   *
   * @throws Error while another answer is under way: two answers would not know of each other.
   */
  send(
    content: string,
    settings: Partial<GenerateSettings> = {},
    options: GenerateOptions = {},
  ): GenerationStream {
    if (this.#answering) throw new Error('an answer is under way: abort it, or await it')
    const question: Message = { role: 'user', content }
    const messages = [...this.#messages, question]
    const stream = this.#generate({ ...this.#settings, ...settings, messages }, options)
    this.#answering = true
    const settle = (over: boolean): void => {
      this.#answering = false
      if (over) this.append(question, { role: 'assistant', content: stream.textSoFar })
    }
    stream.answer.then(
      () => settle(true),
      () => settle(stream.aborted && stream.textSoFar !== ''),
    )
    return stream
  }
}
