import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach } from 'node:test'
import type { EndEvent, GenerationEvent, StartEvent } from '../wire.ts'

/** A request as it came. */
export interface Received {
  method: string
  path: string
  headers: IncomingMessage['headers']
  body: unknown
}

/** What the server does with one request; the last step is repeated. */
export type Step = (response: ServerResponse, received: Received) => void

/** An HTTP server that fails on demand, as no real one can be made to, on a real socket. */
export interface ScriptedServer {
  readonly url: string
  readonly received: Received[]
  play(...steps: Step[]): void
}

/** Starts a server before the first test of the file and stops it after the last. */
export function scriptedServer(): ScriptedServer {
  let steps: Step[] = []
  let received: Received[] = []
  const server = createServer((request, response) => {
    void readBody(request).then((body) => {
      const { method = '', url = '', headers } = request
      const entry = { method, path: url, headers, body }
      received.push(entry)
      const step = steps.length > 1 ? steps.shift() : steps[0]
      step?.(response, entry)
    })
  })
  before(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)))
  beforeEach(() => {
    received = []
  })
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    get url() {
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    },
    get received() {
      return received
    },
    play(...next) {
      steps = next
    },
  }
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += String(chunk)
  return text === '' ? undefined : (JSON.parse(text) as unknown)
}

/** Frames with ids from `from` on: `a-1`, `a-2`, ... */
export function frames(events: readonly unknown[], from = 1): string {
  return events
    .map((event, index) => `id: a-${from + index}\ndata: ${JSON.stringify(event)}\n\n`)
    .join('')
}

/** Answers with frames, then ends properly, breaks the connection, or leaves it open. */
export function streaming(text: string, then: 'end' | 'cut' | 'stay' = 'end'): Step {
  return (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
    response.write(text, () => {
      if (then === 'end') response.end()
      // A moment, so that what was written leaves before the reset does.
      if (then === 'cut') setTimeout(() => response.destroy(), 20)
    })
  }
}

export function failing(
  status: number,
  code: string,
  headers: Record<string, string> = {},
  param: string | null = null,
): Step {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify({ error: { message: `it is ${code}`, type: 'x', param, code } }))
  }
}

export const START: StartEvent = {
  type: 'start',
  id: 'gen-1',
  created: 1_700_000_000,
  model: 'm',
  system_fingerprint: 'fp_0',
  decoding: { mode: 'verified', block_length: 16 },
  seed: 7,
  prompt_tokens: 3,
  cached_tokens: 0,
}

export const END: EndEvent = {
  type: 'end',
  finish_reason: 'stop',
  usage: {
    prompt_tokens: 3,
    completion_tokens: 3,
    total_tokens: 6,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
    forward_passes: 2,
    forward_passes_details: { prefill: 0, decode: 2 },
    tokens_per_forward: 1.5,
    effective_gamma: null,
    queue_ms: 0,
    prefill_ms: 1,
    decode_ms: 2,
  },
}

const token = (position: number, text: string) => ({ position, id: 100 + position, text })

/** Three tokens in two forwards, the last one before the middle one. */
export const ANSWER: readonly GenerationEvent[] = [
  START,
  {
    type: 'reveal',
    block: 0,
    step: 0,
    positions: [3, 5],
    tokens: [token(3, 'one'), token(5, ' three')],
  },
  { type: 'text', delta: 'one' },
  { type: 'reveal', block: 0, step: 1, positions: [4], tokens: [token(4, ' two')] },
  { type: 'text', delta: ' two three' },
  END,
]
