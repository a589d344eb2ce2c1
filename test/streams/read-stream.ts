import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { createParser } from 'eventsource-parser'

/** A reader asks again so often, as the stock clients do: the edge offers a worker only so many jobs at once. */
const REFUSALS_MAX = 50

/** When a reader rests: once it has `afterEvents` events, until `over` resolves. */
export interface Rest {
  readonly afterEvents: number
  over(this: void): Promise<unknown>
}

/** What one reader of a stream saw. */
export interface Seen {
  readonly status: number
  /** How often the stream was refused, with the time to come again, before it began. */
  readonly refusals: number
  /** Numbers of the events' ids, in the order they came. */
  readonly numbers: number[]
  readonly data: string[]
  readonly bytes: number
}

export interface ReadOptions {
  readonly url: string
  readonly key: string
  readonly body: object
  readonly rest: Rest
}

/** Reads a stream to its end over a connection of its own, not reading at all while it rests. */
export async function readStream(options: ReadOptions): Promise<Seen> {
  const { response, refusals } = await open(options)
  const { rest } = options
  const numbers: number[] = []
  const data: string[] = []
  const parser = createParser({
    onEvent(event) {
      // An event without an id is no part of the stream: it only says why the reading ends.
      if (event.id !== undefined) numbers.push(Number(event.id.split('-')[1]))
      data.push(event.data)
    },
  })
  const utf8 = new TextDecoder()
  let bytes = 0
  let rested = false
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength
    parser.feed(utf8.decode(chunk, { stream: true }))
    if (rested || data.length < rest.afterEvents) continue
    rested = true
    await rest.over()
  }
  return { status: response.statusCode ?? 0, refusals, numbers, data, bytes }
}

async function open(
  options: ReadOptions,
): Promise<{ response: IncomingMessage; refusals: number }> {
  for (let refusals = 0; ; refusals += 1) {
    const response = await post(options)
    const waitSeconds = response.headers['retry-after']
    const isRefusal = response.statusCode === 429 && waitSeconds !== undefined
    if (!isRefusal || refusals === REFUSALS_MAX) return { response, refusals }
    response.resume()
    await sleep(1000 * Number(waitSeconds))
  }
}

function post({ url, key, body }: ReadOptions): Promise<IncomingMessage> {
  const json = JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const outgoing = request(url, {
      method: 'POST',
      agent: false,
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(json),
      },
    })
    outgoing.once('error', reject)
    outgoing.once('response', resolve)
    outgoing.end(json)
  })
}

/** True when the events came once each and in order, from the first. */
export const isUnbroken = ({ numbers }: Seen): boolean =>
  numbers.every((number, index) => number === index + 1)
