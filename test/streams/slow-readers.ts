import { setTimeout as sleep } from 'node:timers/promises'
import type { Stack } from '../../scripts/start/stack.ts'
import { isUnbroken, readStream } from './read-stream.ts'
import type { Seen } from './read-stream.ts'

/** Different stories, each asked for many times. */
const SEEDS = 8

export interface SlowResult {
  readonly streams: number
  /** Times that a reader was told to come again before its stream began. */
  readonly refusals: number
  readonly events: number
  readonly bytes: number
  /** Streams with an event lost, repeated or out of order. */
  readonly broken: number
  /** Streams whose text is not the one a whole answer gives. */
  readonly wrongText: number
  /** Streams that do not end in exactly one `[DONE]`. */
  readonly unfinished: number
}

interface SlowOptions {
  readonly count: number
  readonly maxTokens: number
  /** Each reader rests for this long on average, in milliseconds. */
  readonly restMs: number
}

/**
 * Opens `count` streams at once on a running stack, those that are refused again when they may
 * come. Each reader stops in the middle, at a place and for a time of its own, and reads on; then
 * every text is compared with the whole answer's.
 */
export async function slowReaders(stack: Stack, options: SlowOptions): Promise<SlowResult> {
  const { count, maxTokens, restMs } = options
  const url = `${stack.edgeUrl}/v1/chat/completions`
  const bodies = Array.from({ length: SEEDS }, (_, seed) => ({
    model: stack.model.id,
    messages: [{ role: 'user', content: 'Tell me a story about a cat, boat.' }],
    temperature: 0.8,
    seed,
    max_tokens: maxTokens,
  }))
  const texts = await Promise.all(bodies.map((body) => wholeText(url, stack.demoKey, body)))
  const seen = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      readStream({
        url,
        key: stack.demoKey,
        body: { ...bodies[index % SEEDS], stream: true },
        rest: {
          afterEvents: 1 + (index % 10),
          over: () => sleep(restMs * (0.5 + (index % 5) / 4)),
        },
      }),
    ),
  )
  return {
    streams: count,
    refusals: seen.reduce((sum, { refusals }) => sum + refusals, 0),
    events: seen.reduce((sum, { data }) => sum + data.length, 0),
    bytes: seen.reduce((sum, { bytes }) => sum + bytes, 0),
    broken: seen.filter((each) => !isUnbroken(each) || each.numbers.length !== each.data.length)
      .length,
    wrongText: seen.filter((each, index) => textOf(each) !== texts[index % SEEDS]).length,
    unfinished: seen.filter((each) => !isFinished(each)).length,
  }
}

interface Chunk {
  choices: { delta: { content?: string }; finish_reason: string | null }[]
}

const chunksOf = ({ data }: Seen): Chunk[] =>
  data.filter((each) => each !== '[DONE]').map((each) => JSON.parse(each) as Chunk)

const textOf = (seen: Seen): string =>
  chunksOf(seen)
    .map(({ choices }) => choices[0]?.delta.content ?? '')
    .join('')

/** One chunk with a finish reason, then one `[DONE]`, and nothing behind it. */
function isFinished(seen: Seen): boolean {
  const finishes = chunksOf(seen).filter(
    ({ choices }) => typeof choices[0]?.finish_reason === 'string',
  )
  return finishes.length === 1 && seen.data.indexOf('[DONE]') === seen.data.length - 1
}

async function wholeText(url: string, key: string, body: object): Promise<string> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const { choices } = (await answer.json()) as { choices: { message: { content: string } }[] }
  return choices[0]?.message.content ?? ''
}
