import { createParser } from 'eventsource-parser'

/** One answer as its client saw it. */
export interface Seen {
  /** 0 where no answer came at all. */
  readonly status: number
  readonly text: string
  /** Numbers of the events' ids. */
  readonly numbers: readonly number[]
  readonly lastEventId: string | undefined
  /** Terminal events; a good stream has exactly one. */
  readonly terminals: readonly Terminal[]
  /** Whether anything followed the first terminal event. */
  readonly saidMore: boolean
  /** `end`: closed as HTTP has it. `left`: we left. `broken`: the connection broke. */
  readonly close: 'end' | 'left' | 'broken'
  /** Prompt tokens whose keys and values were there already, if it was told. */
  readonly cachedTokens: number | undefined
  readonly streamId: string | undefined
}

export type Terminal =
  | { readonly kind: 'end'; readonly version: number | undefined; readonly completion: number }
  | { readonly kind: 'error'; readonly code: string; readonly shouldRetry: boolean }

export interface Ask {
  readonly url: string
  readonly key: string
  readonly path: string
  readonly method?: 'GET' | 'POST'
  readonly body?: object
  readonly headers?: Readonly<Record<string, string>>
  /** Leave after this many events, as a client does that closes its page. */
  readonly leaveAfter?: number
  readonly onEvent?: () => void
}

interface NativeEvent {
  readonly type: string
  readonly delta?: string
  readonly cached_tokens?: number
  readonly session?: { readonly version: number }
  readonly usage?: { readonly completion_tokens: number }
  readonly error?: { readonly code: string }
}

const ANSWER_MS_MAX = 120_000

/** Codes whose row in the table of errors says that a retry can help; told by header before a stream. */
export type IsRetryable = (code: string) => boolean

/** Asks for a stream of the native form and reads it until it ends or we leave. */
export async function readStream(ask: Ask, isRetryable: IsRetryable): Promise<Seen> {
  const reading = new Reading(ask, isRetryable)
  const { url, key, path, method = 'POST', body, headers } = ask
  const leave = new AbortController()
  const signal = AbortSignal.any([leave.signal, AbortSignal.timeout(ANSWER_MS_MAX)])
  try {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      ...(body && { body: JSON.stringify(body) }),
      signal,
    })
    reading.begin(response)
    if (!(response.headers.get('content-type') ?? '').startsWith('text/event-stream')) {
      reading.whole(await response.text(), response.headers.get('x-should-retry') === 'true')
      return reading.seen('end')
    }
    const utf8 = new TextDecoder()
    for await (const chunk of response.body as ReadableStream<Uint8Array>) {
      reading.feed(utf8.decode(chunk, { stream: true }))
      if (!reading.enough) continue
      leave.abort()
      break
    }
    return reading.seen(leave.signal.aborted ? 'left' : 'end')
  } catch (error) {
    if ((error as Error).name === 'TimeoutError') throw error
    return reading.seen(leave.signal.aborted ? 'left' : 'broken')
  }
}

class Reading {
  readonly #leaveAfter: number
  readonly #onEvent: () => void
  readonly #isRetryable: IsRetryable
  readonly #parser = createParser({ onEvent: ({ id, data }) => this.#event(id, data) })
  readonly #terminals: Terminal[] = []
  readonly #numbers: number[] = []
  #status = 0
  #streamId: string | undefined
  #text = ''
  #lastEventId: string | undefined
  #cachedTokens: number | undefined
  #saidMore = false
  #events = 0

  constructor({ leaveAfter, onEvent }: Ask, isRetryable: IsRetryable) {
    this.#leaveAfter = leaveAfter ?? Number.POSITIVE_INFINITY
    this.#onEvent = onEvent ?? (() => undefined)
    this.#isRetryable = isRetryable
  }

  get enough(): boolean {
    return this.#events >= this.#leaveAfter && this.#terminals.length === 0
  }

  begin({ status, headers }: Response): void {
    this.#status = status
    this.#streamId = headers.get('x-setblock-stream-id') ?? undefined
  }

  feed(text: string): void {
    this.#parser.feed(text)
  }

  /** An answer that is no stream: an error, or a whole generation. */
  whole(text: string, shouldRetry: boolean): void {
    const body = JSON.parse(text) as NativeEvent & { text?: string }
    this.#text = body.text ?? ''
    this.#terminals.push(
      body.error === undefined
        ? toEnd(body)
        : { kind: 'error', code: body.error.code, shouldRetry },
    )
  }

  seen(close: Seen['close']): Seen {
    return {
      status: this.#status,
      text: this.#text,
      numbers: this.#numbers,
      lastEventId: this.#lastEventId,
      terminals: this.#terminals,
      saidMore: this.#saidMore,
      close,
      cachedTokens: this.#cachedTokens,
      streamId: this.#streamId,
    }
  }

  #event(id: string | undefined, data: string): void {
    this.#events += 1
    this.#onEvent()
    if (this.#terminals.length > 0) this.#saidMore = true
    if (id !== undefined) {
      this.#lastEventId = id
      this.#numbers.push(Number(id.split('-')[1]))
    }
    const event = JSON.parse(data) as NativeEvent
    this.#text += event.delta ?? ''
    this.#cachedTokens ??= event.cached_tokens
    if (event.type === 'end') this.#terminals.push(toEnd(event))
    if (event.type !== 'error') return
    const code = event.error?.code ?? 'none'
    this.#terminals.push({ kind: 'error', code, shouldRetry: this.#isRetryable(code) })
  }
}

const toEnd = ({ session, usage }: NativeEvent): Terminal => ({
  kind: 'end',
  version: session?.version,
  completion: usage?.completion_tokens ?? 0,
})
