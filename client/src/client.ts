import { Chat, type ChatSettings } from './chat.ts'
import { clientError } from './errors.ts'
import { followGeneration } from './follow-generation.ts'
import { GenerationStream } from './generation-stream.ts'
import { Transport, type ConnectionOptions } from './transport.ts'
import type { GenerateRequest, Model } from './wire.ts'

export interface SetblockOptions extends ConnectionOptions {
  /** Repeats of a request after failures that may pass. Default 2. */
  retriesMax?: number
  /** Wait before the first repeat, where the server advises none. Default 500. */
  retryDelayMs?: number
  /** Silence after which a connection counts as lost; the server breaks it every 5 s. Default 30000. */
  idleTimeoutMs?: number
}

export interface GenerateOptions {
  /** Aborts the generation. */
  signal?: AbortSignal | undefined
  /** Requests with the same key are one generation. Default: a new one for each call. */
  idempotencyKey?: string | undefined
}

export interface Setblock {
  /** Begins a generation. */
  generate(request: GenerateRequest, options?: GenerateOptions): GenerationStream
  /** Begins a conversation. */
  chat(settings: ChatSettings): Chat
  /** The models served. @throws SetblockError */
  models(options?: { signal?: AbortSignal }): Promise<Model[]>
}

/**
 * A client of one deployment.
 * @throws TypeError for a base URL that is none, and without exactly one of apiKey and getToken.
 */
export function createSetblock(options: SetblockOptions): Setblock {
  const { retriesMax = 2, retryDelayMs: delayMs = 500, idleTimeoutMs = 30_000 } = options
  const transport = new Transport(options)

  function generate(
    request: GenerateRequest,
    { signal, idempotencyKey }: GenerateOptions = {},
  ): GenerationStream {
    const fixed = { retriesMax, delayMs, idleTimeoutMs, idempotencyKey }
    return new GenerationStream(
      (aborted) => followGeneration(transport, request, { ...fixed, signal: aborted }),
      signal,
    )
  }

  return {
    generate,
    chat: (settings) => new Chat(generate, settings),
    async models({ signal = new AbortController().signal } = {}) {
      const response = await transport.send({ method: 'GET', path: '/v1/models', signal })
      const body = (await response.json().catch(() => undefined)) as { data?: Model[] } | undefined
      if (Array.isArray(body?.data)) return body.data
      throw clientError('invalid_answer', 'the list of models is none')
    },
  }
}
