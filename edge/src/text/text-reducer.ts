import { ApiError, assertNever } from '@setblock/shared'
import type {
  EndEvent,
  FinishReason,
  JobEvent,
  RevealEvent,
  StartEvent,
  TokenLogprobs,
} from '@setblock/shared'
import { createFrontier } from './frontier.ts'
import type { Frontier } from './frontier.ts'
import { unfinishedTail } from './grapheme.ts'
import { createStopMatcher } from './stop-matcher.ts'
import type { StopMatcher } from './stop-matcher.ts'
import type {
  RevealedToken,
  SessionVersion,
  TextEvent,
  TextToken,
  TextUsage,
} from './text-events.ts'
import { createTokenLedger } from './token-ledger.ts'
import type { TokenLedger } from './token-ledger.ts'

export interface TextReducerOptions {
  /**
   * Length of the prompt in tokens: the position of the first generated token. Undefined where
   * only the worker knows it, because the prompt follows a session.
   */
  promptTokens: number | undefined
  /** At most this many tokens may be revealed. */
  maxTokens: number
  /** Tokens that end the text and add nothing to it. */
  stopTokenIds: readonly number[]
  /** Strings that end the text before they begin. */
  stopStrings: readonly string[]
  /**
   * Whether a stop string only closes the text: the worker is then told where the turn ends, and
   * `endTurn` gives out the end.
   */
  closesTurn: boolean
  /** Whether to pass reveals on as they come, above the frontier and beyond a stop included. */
  reveals: boolean
  /** Whether text comes with the log probabilities of its tokens. */
  logprobs: boolean
  /** The bytes a token adds to the text. */
  bytesOf(this: void, id: number): Uint8Array
}

/** A token on its way to the frontier. */
interface Token {
  id: number
  logprobs: TokenLogprobs | undefined
}

/**
 * Turns the events of one job into text. A pure state machine: events in, events out. It relies on
 * the order the event parser guarantees: one start, reveals, one end or error.
 */
export class TextReducer {
  #state: 'writing' | 'text-closed' | 'ended' = 'writing'
  #stopped = false
  #cachedTokens = 0
  #queueMs = 0
  #completionTokens = 0
  #forwards = 0
  readonly #options: TextReducerOptions
  #promptTokens = 0
  #frontier: Frontier<Token> | undefined
  readonly #stops: StopMatcher
  /** One decoder for the whole text: it keeps the bytes of an unfinished character to itself. */
  readonly #utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
  readonly #ledger: TokenLedger | undefined
  /** The start of a character that is seen as one and not complete. */
  #unfinished = ''

  constructor(options: TextReducerOptions) {
    const { stopStrings, logprobs } = options
    this.#options = options
    this.#ledger = logprobs ? createTokenLedger() : undefined
    this.#stops = createStopMatcher(stopStrings)
  }

  /** True after `end` was given out: no further event may be pushed. */
  get ended(): boolean {
    return this.#state === 'ended'
  }

  /**
   * Length of the whole sequence up to where a stop string closed the text of a turn that has not
   * ended; undefined otherwise.
   */
  get closedAt(): number | undefined {
    const open = this.#stopped && !this.ended
    return open ? this.#promptTokens + this.#completionTokens : undefined
  }

  /** The end of a turn that a stop string has closed. */
  endTurn(session: SessionVersion): TextEvent {
    this.#state = 'ended'
    return { type: 'end', finishReason: 'stop', usage: this.#usageSoFar(), session }
  }

  /**
   * Takes the next event of the job. Throws the ApiError that an `error` event carries, and
   * `internal_error` when the worker breaks the protocol.
   */
  push(event: JobEvent): TextEvent[] {
    switch (event.type) {
      case 'start':
        return this.#start(event)
      case 'reveal':
        return this.#reveal(event)
      case 'end':
        return this.#end(event)
      case 'error':
        throw new ApiError(event.code, event.message)
      default:
        return assertNever(event, 'job event')
    }
  }

  #start({ promptTokens, cachedTokens, queueMs }: StartEvent): TextEvent[] {
    const { promptTokens: expected = promptTokens, maxTokens } = this.#options
    if (promptTokens !== expected) throw brokenProtocol('a wrong prompt length')
    this.#promptTokens = promptTokens
    this.#frontier = createFrontier({ start: promptTokens, end: promptTokens + maxTokens })
    this.#cachedTokens = cachedTokens
    this.#queueMs = queueMs
    return [{ type: 'start', promptTokens, cachedTokens }]
  }

  #reveal(event: RevealEvent): TextEvent[] {
    const { reveals, bytesOf } = this.#options
    this.#forwards += 1
    const out: TextEvent[] = reveals ? [drawReveal(event, bytesOf)] : []
    let delta = ''
    for (const token of this.#pass(event)) {
      if (this.#state !== 'writing') break
      delta += this.#write(token)
    }
    out.push(...this.#send(delta))
    if (this.ended) out.push({ type: 'end', finishReason: 'stop', usage: this.#usageSoFar() })
    return out
  }

  /** Takes the next token below the frontier and gives the text that may be sent for it. */
  #write(token: Token): string {
    const { stopTokenIds, bytesOf } = this.#options
    this.#completionTokens += 1
    if (stopTokenIds.includes(token.id)) return this.#closeText()
    const piece = this.#utf8.decode(bytesOf(token.id), { stream: true })
    if (this.#ledger !== undefined) {
      const { id, logprobs } = token
      if (logprobs === undefined) throw brokenProtocol('a token without log probability')
      this.#ledger.write({ id, logprobs }, piece.length)
    }
    const { text, stopped } = this.#stops.push(piece)
    if (stopped) this.#state = this.#options.closesTurn ? 'text-closed' : 'ended'
    this.#stopped ||= stopped
    return text
  }

  /** No token follows: what was held back is text now, an unfinished character becomes U+FFFD. */
  #closeText(): string {
    this.#state = 'text-closed'
    const { text, stopped } = this.#stops.push(this.#utf8.decode())
    return stopped ? text : text + this.#stops.flush()
  }

  /** The text event for new text, less its unfinished end; tokens wait for their text. */
  #send(text: string): TextEvent[] {
    const whole = this.#unfinished + text
    const tail = this.#state === 'writing' ? unfinishedTail(whole) : 0
    const delta = whole.slice(0, whole.length - tail)
    this.#unfinished = whole.slice(delta.length)
    if (this.#ledger === undefined) return delta === '' ? [] : [{ type: 'text', delta }]
    const tokens: TextToken[] = delta === '' ? [] : this.#ledger.send(delta.length)
    if (this.#state !== 'writing') tokens.push(...this.#ledger.close())
    return delta === '' && tokens.length === 0 ? [] : [{ type: 'text', delta, tokens }]
  }

  #pass({ positions, tokenIds, logprobs }: RevealEvent): Token[] {
    const tokens = tokenIds.map((id, index) => ({ id, logprobs: logprobs?.[index] }))
    try {
      return this.#frontier!.reveal(positions, tokens)
    } catch (cause) {
      throw brokenProtocol('an impossible reveal', cause)
    }
  }

  #end(event: EndEvent): TextEvent[] {
    const out: TextEvent[] = []
    const closed = this.#state === 'text-closed'
    if (!closed) {
      if (this.#frontier!.hasHole()) throw brokenProtocol('an end with a hole below a token')
      out.push(...this.#send(this.#closeText()))
    }
    this.#state = 'ended'
    const finishReason: FinishReason = closed ? 'stop' : event.finishReason
    const { usage, session } = event
    out.push({ type: 'end', finishReason, usage, ...(session && { session }) })
    return out
  }

  #usageSoFar(): TextUsage {
    return {
      promptTokens: this.#promptTokens,
      cachedTokens: this.#cachedTokens,
      completionTokens: this.#completionTokens,
      forwardPasses: { prefill: null, decode: this.#forwards },
      tokensPerForward: this.#completionTokens / this.#forwards,
      queueMs: this.#queueMs,
      prefillMs: null,
      decodeMs: null,
      effectiveGamma: null,
    }
  }
}

function drawReveal(event: RevealEvent, bytesOf: (id: number) => Uint8Array): TextEvent {
  const alone = new TextDecoder('utf-8', { ignoreBOM: true })
  const tokens = event.positions.map((position, index) => {
    const id = event.tokenIds[index] as number
    const token: RevealedToken = { position, id, text: alone.decode(bytesOf(id)) }
    const entropy = event.entropies?.[index]
    if (entropy !== undefined) token.entropy = entropy
    const logprobs = event.logprobs?.[index]
    if (logprobs !== undefined) token.logprobs = logprobs
    return token
  })
  return { type: 'reveal', block: event.block, step: event.step, tokens }
}

function brokenProtocol(what: string, cause?: unknown): ApiError {
  return new ApiError('internal_error', `the worker sent ${what}`, { cause })
}
