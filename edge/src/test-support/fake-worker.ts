import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  encodeEvent,
  importJobSecret,
  jobSchema,
  sha256Hex,
  verifyJobToken,
} from '@setblock/shared'
import type { Job, JobEvent } from '@setblock/shared'
import { TINY_LOADED } from './tiny-model.ts'

export const JOB_SECRET = 'a secret for tests, of forty-one letters.'

/** What a script says to the edge about one job. */
export interface JobAnswer {
  send: (...events: JobEvent[]) => void
  /** Bytes as they are, for streams that break the protocol. */
  raw: (text: string) => void
  /** Resolves when the edge closes the connection before the script ended the answer. */
  readonly left: Promise<void>
}

export interface Refusal {
  status: number
  headers?: Record<string, string>
  body: string
}

export interface FakeWorkerOptions {
  /** Called for each accepted job; the answer ends when it resolves. */
  script?: (job: Job, answer: JobAnswer) => Promise<void> | void
  /** Asked before a job is accepted; a refusal is sent instead of events. */
  refuse?: () => Refusal | undefined | Promise<Refusal | undefined>
  ready?: boolean
  /** What it checks tokens with; by default the edge's own. */
  secret?: string
  /** What it has loaded; by default the tiny model as it is. */
  models?: readonly { id: string; tokenizerSha256: string }[]
}

/** A worker made of a script: a real HTTP server on loopback that checks tokens like a real one. */
export interface FakeWorker {
  readonly url: string
  /** Jobs whose token and body were right, in order. */
  readonly jobs: Job[]
  readonly tenants: string[]
  close(): Promise<void>
}

export async function startFakeWorker(options: FakeWorkerOptions): Promise<FakeWorker> {
  const key = await importJobSecret(options.secret ?? JOB_SECRET)
  const jobs: Job[] = []
  const tenants: string[] = []

  async function verify({ headers }: IncomingMessage, body: string) {
    const token = headers.authorization?.replace('Bearer ', '') ?? ''
    const bodySha256 = await sha256Hex(body)
    return verifyJobToken(key, { token, bodySha256, nowMs: Date.now() })
  }

  async function tellReadiness(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { ok } = await verify(incoming, '')
    if (!ok) outgoing.writeHead(401).end()
    else outgoing.writeHead(options.ready === false ? 503 : 200).end()
  }

  async function takeJob(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString()
    const verdict = await verify(incoming, body)
    if (!verdict.ok) throw new Error(`the edge sent a token that is ${verdict.failure}`)
    const job = jobSchema.parse(JSON.parse(body))
    const refusal = await options.refuse?.()
    if (refusal !== undefined) {
      outgoing.writeHead(refusal.status, refusal.headers).end(refusal.body)
      return
    }
    jobs.push(job)
    tenants.push(verdict.payload.tenant)
    outgoing.writeHead(200, { 'content-type': 'application/x-ndjson' }).flushHeaders()
    await options.script?.(job, createAnswer(outgoing))
    outgoing.end()
  }

  const server = createServer((incoming, outgoing) => {
    const { models = TINY_LOADED } = options
    if (incoming.url === '/v1/models') outgoing.writeHead(200).end(JSON.stringify({ models }))
    else if (incoming.url === '/readyz') void tellReadiness(incoming, outgoing)
    else if (incoming.url !== '/v1/jobs') outgoing.writeHead(404).end()
    else takeJob(incoming, outgoing).catch(() => outgoing.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    jobs,
    tenants,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function createAnswer(outgoing: ServerResponse): JobAnswer {
  return {
    send: (...events) => void outgoing.write(events.map(encodeEvent).join('')),
    raw: (text) => void outgoing.write(text),
    left: new Promise((resolve) => {
      outgoing.once('close', () => {
        if (!outgoing.writableEnded) resolve()
      })
    }),
  }
}

/** A URL at which nothing listens, though something did a moment ago. */
export async function closedUrl(): Promise<string> {
  const worker = await startFakeWorker({})
  await worker.close()
  return worker.url
}
