import { setTimeout as sleep } from 'node:timers/promises'
import { createParser } from 'eventsource-parser'
import type { Agent } from 'undici'
import type { Reader } from './workload.ts'

/** What became of one request. Times are milliseconds of one monotonic clock. */
export interface Outcome {
  /** `done`, `left` (as planned), a code of the API's error table, or `connection`. */
  readonly result: string
  readonly firstTextMs: number | undefined
  readonly endMs: number
  /** Gaps between two pieces of text, of readers that do not dawdle themselves. */
  readonly gapsMs: readonly number[]
  readonly tokens: number
  readonly forwards: number
}

export interface Exchange {
  readonly url: string
  readonly key: string
  readonly body: object
  readonly reader: Reader
  readonly agent: Agent
}

/** Rest of a slow reader after each chunk that it has taken. */
const SLOW_REST_MS = 40

interface Chunk {
  choices?: { delta?: { content?: string } }[]
  usage?: { completion_tokens: number; forward_passes_details: { decode: number | null } } | null
  error?: { code: string | null }
}

/** Sends one chat request, reads its stream as the reader would, and never throws. */
export async function exchange(options: Exchange): Promise<Outcome> {
  const progress = new Progress()
  const { url, key, body, reader, agent } = options
  try {
    const { statusCode, body: stream } = await agent.request({
      origin: url,
      path: '/v1/chat/completions',
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (statusCode !== 200) {
      const answer = (await stream.json()) as { error?: { code?: string | null } }
      return progress.end(answer.error?.code ?? `status ${statusCode}`)
    }
    const utf8 = new TextDecoder()
    for await (const bytes of stream as AsyncIterable<Buffer>) {
      progress.feed(utf8.decode(bytes, { stream: true }))
      if (reader === 'leaves' && progress.hasText) return progress.end('left')
      if (reader === 'slow') await sleep(SLOW_REST_MS)
    }
    return progress.end()
  } catch {
    return progress.end('connection')
  }
}

/** What a reader has seen of a stream. */
class Progress {
  readonly #gaps: number[] = []
  readonly #parser = createParser({ onEvent: ({ data }) => this.#see(data) })
  #firstMs: number | undefined
  #lastMs = 0
  #error: string | undefined
  #whole = false
  #tokens = 0
  #forwards = 0

  feed(text: string): void {
    this.#parser.feed(text)
  }

  get hasText(): boolean {
    return this.#firstMs !== undefined
  }

  #see(data: string): void {
    if (data === '[DONE]') {
      this.#whole = true
      return
    }
    const chunk = JSON.parse(data) as Chunk
    if (chunk.error !== undefined) this.#error = chunk.error.code ?? 'error without a code'
    if (chunk.usage) {
      this.#tokens = chunk.usage.completion_tokens
      this.#forwards = chunk.usage.forward_passes_details.decode ?? 0
    }
    if (!chunk.choices?.[0]?.delta?.content) return
    const now = performance.now()
    if (this.#firstMs === undefined) this.#firstMs = now
    else this.#gaps.push(now - this.#lastMs)
    this.#lastMs = now
  }

  /** A stream without its last event is broken, whatever came before. */
  end(result = this.#error ?? (this.#whole ? 'done' : 'connection')): Outcome {
    return {
      result,
      firstTextMs: this.#firstMs,
      endMs: performance.now(),
      gapsMs: this.#gaps,
      tokens: this.#tokens,
      forwards: this.#forwards,
    }
  }
}
