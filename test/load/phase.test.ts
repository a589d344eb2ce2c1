import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { runPhase } from './phase.ts'
import { MIX, type Mix } from './workload.ts'

const STEADY: Mix = { ...MIX, slow: 0, leaves: 0, twoTurns: 0 }
const SLO = { ttftMs: 200, perTokenMs: 1000 }

/** An edge that answers as told. */
async function startEdge(
  t: TestContext,
  answer: (response: ServerResponse, index: number, request: IncomingMessage) => Promise<void>,
) {
  let requests = 0
  const server = createServer((request, response) => {
    request.resume()
    void answer(response, requests++, request)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, key: 'k', model: 'm', count: () => requests }
}

const text = (content: string): string =>
  `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`

function writeAnswer(response: ServerResponse): void {
  const usage = { completion_tokens: 2, forward_passes_details: { decode: 1 } }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(text('a') + text('b'))
  response.end(`data: ${JSON.stringify({ choices: [], usage })}\n\ndata: [DONE]\n\n`)
}

const options = { rate: 40, seconds: 1, warmUpSeconds: 0, seed: 1, prompts: ['x'], slo: SLO }

test('every request is counted once, by what became of it', async (t) => {
  const edge = await startEdge(t, async (response, index) => {
    if (index % 4 === 0) {
      response.writeHead(429, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ error: { code: 'overloaded' } }))
    } else if (index % 4 === 1) {
      response.writeHead(200)
      response.end(`${text('a')}data: {"error":{"code":"worker_draining"}}\n\n`)
    } else if (index % 4 === 2) {
      response.writeHead(200)
      response.end(text('cut off'))
    } else writeAnswer(response)
  })
  const summary = await runPhase(edge, { ...options, mix: STEADY })
  const counts = { ...summary.errors, done: summary.done }
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
  assert.equal(total, summary.sent)
  assert.equal(edge.count(), summary.sent)
  assert.deepEqual(Object.keys(counts).sort(), [
    'connection',
    'done',
    'overloaded',
    'worker_draining',
  ])
  assert.equal(summary.tokensPerForward, 2)
})

test('a server that stands still for a while is charged for all who came meanwhile', async (t) => {
  const STILL_MS = 600
  let still: Promise<unknown> | undefined
  const edge = await startEdge(t, async (response) => {
    still ??= sleep(STILL_MS)
    await still
    writeAnswer(response)
  })
  const summary = await runPhase(edge, { ...options, mix: STEADY })
  // Requests go on coming while nobody answers; a closed loop would have sent the first ones alone.
  assert.ok(summary.sent > 25, `${summary.sent}`)
  const { p50, p95, p99 } = summary.ttftMs
  assert.ok(p99! > STILL_MS * 0.8, `${p99}`)
  assert.ok(p95! > p50!)
  assert.ok(summary.goodShare < 0.9 && summary.goodShare > 0)
})

test('those who leave, and those who read slowly, do not lower the goodput', async (t) => {
  const edge = await startEdge(t, async (response) => writeAnswer(response))
  const mix = { ...STEADY, slow: 0.3, leaves: 0.3 }
  const summary = await runPhase(edge, { ...options, mix })
  assert.ok(summary.left > 0)
  assert.equal(summary.goodShare, 1)
})

test('a second turn continues the session of the first, and is due when that has ended', async (t) => {
  const bodies: { session?: string; append?: boolean }[] = []
  const edge = await startEdge(t, async (response, _index, request) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    bodies.push(JSON.parse(Buffer.concat(chunks).toString()) as { session?: string })
    writeAnswer(response)
  })
  await runPhase(edge, { ...options, mix: { ...STEADY, twoTurns: 1 } })
  const first = bodies.filter(({ append }) => append === undefined)
  const second = bodies.filter(({ append }) => append === true)
  assert.equal(first.length, second.length)
  assert.deepEqual(
    new Set(first.map(({ session }) => session)),
    new Set(second.map(({ session }) => session)),
  )
})
