import type { GenerateOptions, Setblock } from '../client.ts'
import { SetblockError } from '../errors.ts'
import type { GenerationStream } from '../generation-stream.ts'
import { TokenBoard, type BoardToken } from '../token-board.ts'
import type { FinishReason, GenerateRequest, Usage } from '../wire.ts'

export type GenerationStatus = 'idle' | 'waiting' | 'streaming' | 'done' | 'stopped' | 'failed'

/** One moment of a generation. Never changed: the next moment is another object. */
export interface GenerationState {
  readonly status: GenerationStatus
  /** Every place of the answer, holes included; empty if the request says `reveals: false`. */
  readonly tokens: readonly BoardToken[]
  readonly text: string
  readonly usage: Usage | undefined
  readonly finishReason: FinishReason | undefined
  /** A SetblockError, or whatever the client's getToken threw. */
  readonly error: Error | undefined
}

const IDLE: GenerationState = Object.freeze({
  status: 'idle',
  tokens: [],
  text: '',
  usage: undefined,
  finishReason: undefined,
  error: undefined,
})

/** Events come up to thousands a second; a screen shows sixty states of them. */
const FRAME_MS = 16

/** The latest generation of a component, as an external store that React subscribes to. */
export class GenerationStore {
  #state = IDLE
  #stream: GenerationStream | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  readonly #listeners = new Set<() => void>()

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly getState = (): GenerationState => this.#state

  /** Before anything was sent: what a server renders. */
  readonly getServerState = (): GenerationState => IDLE

  /** Begins a generation; one under way is aborted, and nothing of it shows any more. */
  send(client: Setblock, request: GenerateRequest, options?: GenerateOptions): GenerationStream {
    this.#stream?.abort()
    const stream = client.generate(request, options)
    this.#stream = stream
    this.#show({ ...IDLE, status: 'waiting' })
    void this.#follow(stream)
    return stream
  }

  stop(): void {
    this.#stream?.abort()
  }

  async #follow(stream: GenerationStream): Promise<void> {
    const board = new TokenBoard()
    let text = ''
    const draw = (): void => {
      this.#show({ ...this.#state, status: 'streaming', tokens: board.tokens, text })
    }
    let last: Partial<GenerationState>
    try {
      for await (const event of stream) {
        // What was on its way here when another began must not take the timer of that one.
        if (stream !== this.#stream) return
        board.apply(event)
        if (event.type === 'text') text += event.delta
        this.#timer ??= setTimeout(draw, FRAME_MS)
      }
      last = stream.aborted ? { status: 'stopped' } : await ending(stream)
    } catch (error) {
      last = { status: 'failed', error: toError(error) }
    }
    if (stream !== this.#stream) return
    this.#show({ ...this.#state, tokens: board.tokens, text, ...last })
  }

  #show(state: GenerationState): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#state = state
    for (const listener of this.#listeners) listener()
  }
}

async function ending(stream: GenerationStream): Promise<Partial<GenerationState>> {
  const { usage, finish_reason: finishReason } = await stream.answer
  return { status: 'done', usage, finishReason }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new SetblockError('invalid_answer', String(error))
}
