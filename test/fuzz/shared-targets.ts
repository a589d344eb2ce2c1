import {
  ApiError,
  encodeEvent,
  errorEnvelopeSchema,
  EventStreamError,
  importJobSecret,
  jobSchema,
  manifestSchema,
  parseEvents,
  parseWith,
  sessionCallSchema,
  sha256Hex,
  signJobToken,
  verifyJobToken,
  type JobEvent,
} from '@setblock/shared'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { EventStreamParser } from '../../client/src/event-stream-parser.ts'
import { bundledModel } from '../eval/provenance.ts'
import { takes, toBytes, toJsonBytes, toText, type Target } from './run-fuzz.ts'

const isApiError = (error: unknown): boolean => error instanceof ApiError
const isJsonError = (error: unknown): boolean => error instanceof SyntaxError
const refusesJson = (error: unknown): boolean => isApiError(error) || isJsonError(error)

const JOB = {
  id: 'job-1',
  model: 'setblock-nano',
  tokenIds: [1, 5, 300],
  maxTokens: 20,
  stopTokenIds: [2],
  decoding: { mode: 'sbd', gamma: 0.35, blockLength: 8, rule: 'strict' },
  sampling: { temperature: 0.5, topP: 0.9, topK: 40, seed: 7 },
  session: { id: 's-1', onDisconnect: 'keep', append: { turnEndIds: [2], fillContext: true } },
}
const EVENTS: readonly JobEvent[] = [
  { type: 'start', promptTokens: 3, cachedTokens: 0, queueMs: 1 },
  { type: 'reveal', block: 0, step: 0, positions: [3, 5], tokenIds: [300, 301] },
  { type: 'error', code: 'worker_draining', message: 'going away', retryable: true },
]

function jsonTarget(
  name: string,
  examples: readonly unknown[],
  parse: (value: unknown) => unknown,
) {
  return {
    name,
    examples: examples.map(toJsonBytes),
    read: (bytes: Uint8Array) => takes(() => parse(JSON.parse(toText(bytes))), refusesJson),
  }
}

/** Bytes in pieces, as a connection gives them. */
function inPieces(bytes: Uint8Array): ReadableStream<Uint8Array> {
  const middle = bytes.length >> 1
  return new ReadableStream({
    start(controller) {
      for (const piece of [bytes.subarray(0, middle), bytes.subarray(middle)]) {
        if (piece.length > 0) controller.enqueue(piece)
      }
      controller.close()
    },
  })
}

const events: Target = {
  name: 'job events (NDJSON)',
  examples: [
    toBytes(EVENTS.slice(0, 3).map(encodeEvent).join('')),
    toBytes(`\n${encodeEvent(EVENTS[0]!)}${encodeEvent(EVENTS[2]!)}`),
  ],
  async read(bytes) {
    try {
      for await (const event of parseEvents(inPieces(bytes))) void event
      return true
    } catch (error) {
      if (error instanceof EventStreamError) return false
      throw error
    }
  },
}

const sse: Target = {
  name: 'event stream of the client (SSE)',
  examples: [
    'id: a-1\ndata: {"type":"text","delta":"é"}\n\n',
    ': beat\r\n\r\ndata: x\ndata: y\r\n\r\n',
  ].map(toBytes),
  read(bytes) {
    const [whole, split] = [new EventStreamParser(), new EventStreamParser()]
    const middle = bytes.length >> 1
    const expected = [...whole.push(bytes)]
    const found = [bytes.subarray(0, middle), bytes.subarray(middle)].flatMap((piece) => [
      ...split.push(piece),
    ])
    if (JSON.stringify(found) !== JSON.stringify(expected)) throw new Error('pieces matter')
    return expected.length > 0
  },
}

async function jobTokens(): Promise<Target> {
  const key = await importJobSecret('a secret of the fuzzer, long enough to sign')
  const bodySha256 = await sha256Hex('{}')
  const token = await signJobToken(key, { tenant: 't', expiresAt: 50_000, bodySha256 })
  return {
    name: 'job token',
    examples: [toBytes(token)],
    async read(bytes) {
      const text = toText(bytes)
      const { ok } = await verifyJobToken(key, { token: text, bodySha256, nowMs: 0 })
      if (ok && text !== token) throw new Error('a forged token was taken')
      return ok
    },
  }
}

/** What both sides read. */
export async function sharedTargets(): Promise<Target[]> {
  const manifest = readFileSync(path.join(bundledModel, 'setblock.json'), 'utf8')
  return [
    events,
    sse,
    await jobTokens(),
    jsonTarget('job', [JOB], (value) => parseWith(jobSchema, value)),
    jsonTarget(
      'session call',
      [
        { operation: 'get', id: 's' },
        { operation: 'list', after: 'a', count: 3 },
        { operation: 'end-turn', id: 's', jobId: 'j', tokens: 4 },
      ],
      (value) => parseWith(sessionCallSchema, value),
    ),
    jsonTarget('manifest', [JSON.parse(manifest)], (value) => parseWith(manifestSchema, value)),
    jsonTarget(
      'error envelope',
      [new ApiError('overloaded', 'full', { param: 'a.b' }).toEnvelope()],
      (value) => parseWith(errorEnvelopeSchema, value),
    ),
  ]
}
