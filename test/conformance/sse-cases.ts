import assert from 'node:assert/strict'
import { createParser } from 'eventsource-parser'
import type { EventSourceMessage } from 'eventsource-parser'
import { ORDER, userSays } from './case.ts'
import type { ConformanceCase, ConformanceSuite, Target } from './case.ts'
import { sseFailures } from './sse-failures.ts'

interface RawStream {
  response: Response
  events: EventSourceMessage[]
  comments: string[]
}

async function read(target: Target, path: string, body: object): Promise<RawStream> {
  const response = await fetch(`${target.edgeUrl}${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${target.key}`,
      'content-type': 'application/json',
      accept: 'text/event-stream',
      'accept-encoding': 'gzip, br, zstd',
    },
    body: JSON.stringify({ model: target.model, stream: true, ...body }),
  })
  const events: EventSourceMessage[] = []
  const comments: string[] = []
  const parser = createParser({
    onEvent: (event) => events.push(event),
    onComment: (comment) => comments.push(comment),
    onError: (error) => {
      throw error
    },
  })
  const decoder = new TextDecoder('utf-8', { fatal: true })
  for await (const chunk of response.body!) parser.feed(decoder.decode(chunk, { stream: true }))
  return { response, events, comments }
}

const payloads = ({ events }: RawStream) =>
  events.filter(({ data }) => data !== '[DONE]').map(({ data }) => JSON.parse(data) as Payload)

interface Payload {
  object?: string
  type?: string
  choices?: { delta?: object; text?: string; finish_reason: string | null }[]
  usage?: object | null
  delta?: string
  step?: number
  tokens?: { position: number; text: string; entropy: number }[]
}

const OPENAI = [
  ['/v1/chat/completions', { messages: userSays(ORDER) }],
  ['/v1/completions', { prompt: 'Once upon a time', max_tokens: 10 }],
] as const

const cases: ConformanceCase[] = [
  {
    name: 'the headers of a stream, uncompressed whatever the client accepts',
    async run(target) {
      for (const [path, body] of [...OPENAI, ['/v1/generate', { prompt: 'hi' }] as const]) {
        const { response } = await read(target, path, { ...body, max_tokens: 3 })
        const header = (name: string) => response.headers.get(name)
        assert.equal(response.status, 200)
        assert.equal(header('content-type'), 'text/event-stream; charset=utf-8')
        assert.equal(header('cache-control'), 'no-cache, no-transform')
        assert.equal(header('x-accel-buffering'), 'no')
        assert.equal(header('content-encoding'), null)
        assert.ok(header('x-request-id'))
        assert.match(header('openai-processing-ms') ?? '', /^\d+$/)
      }
    },
  },
  {
    name: 'unnamed events of one line of JSON, and [DONE] once, at the end',
    async run(target) {
      for (const [path, body] of OPENAI) {
        const { events } = await read(target, path, body)
        assert.ok(events.every(({ event }) => event === undefined))
        assert.ok(events.every(({ data }) => !data.includes('\n')))
        const done = events.filter(({ data }) => data === '[DONE]')
        assert.deepEqual([done.length, events.at(-1)?.data], [1, '[DONE]'])
      }
    },
  },
  {
    name: 'finish reason in the last choice alone, usage in a chunk without choices',
    async run(target) {
      const options = { stream_options: { include_usage: true } }
      for (const [path, body] of OPENAI) {
        const chunks = payloads(await read(target, path, { ...body, ...options }))
        const finishes = chunks.map(({ choices }) => choices?.[0]?.finish_reason)
        assert.ok(finishes.slice(0, -2).every((finish) => finish === null))
        assert.ok(['stop', 'length'].includes(finishes.at(-2) ?? ''))
        assert.deepEqual(chunks.at(-1)?.choices, [])
        assert.ok(chunks.at(-1)?.usage)
      }
    },
  },
  {
    name: 'the native stream: start, texts, one end, no [DONE]',
    async run(target) {
      const body = { messages: userSays(ORDER), gamma: 'low' }
      const stream = await read(target, '/v1/generate', body)
      assert.ok(stream.events.every(({ data }) => data !== '[DONE]'))
      const types = payloads(stream).map(({ type }) => type)
      assert.deepEqual([types[0], types.at(-1)], ['start', 'end'])
      assert.ok(types.slice(1, -1).every((type) => type === 'text'))
    },
  },
  {
    name: 'native reveals: each position once, steps rise, and they spell the text',
    async run(target) {
      for (const fields of [{ gamma: 0.35 }, { mode: 'verified' }, { mode: 'ntp' }]) {
        const body = { messages: userSays(ORDER), reveals: true, ...fields }
        const events = payloads(await read(target, '/v1/generate', body))
        const reveals = events.filter(({ type }) => type === 'reveal')
        const steps = reveals.map(({ step }) => step!)
        assert.deepEqual(
          steps,
          steps.toSorted((left, right) => left - right),
        )
        const tokens = reveals.flatMap((event) => event.tokens ?? [])
        assert.equal(new Set(tokens.map(({ position }) => position)).size, tokens.length)
        assert.ok(tokens.every(({ entropy }) => entropy >= 0))
        const spelled = tokens.toSorted((left, right) => left.position - right.position)
        const text = events.map(({ delta }) => delta ?? '').join('')
        assert.ok(
          spelled
            .map((token) => token.text)
            .join('')
            .startsWith(text),
        )
      }
    },
  },
]

export const sseSuite: ConformanceSuite = {
  client: 'eventsource-parser',
  packages: ['eventsource-parser'],
  cases,
  failures: sseFailures,
}
