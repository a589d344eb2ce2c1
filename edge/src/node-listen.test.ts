import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { test, type TestContext } from 'node:test'
import { listenWide } from './node-listen.ts'

const CLIENTS = 64
const HOST = '127.0.0.1'
const onlyLinux = process.platform === 'linux' ? false : 'one socket listens elsewhere'

async function start(t: TestContext) {
  const server = createServer((_, response) => response.end('hello'))
  const listening = await listenWide(server, { host: HOST, port: 0 })
  t.after(async () => {
    server.closeAllConnections()
    await listening.close()
  })
  return { server, listening, port: Number(new URL(listening.url).port) }
}

test('a turn of a busy loop takes more than one new client', { skip: onlyLinux }, async (t) => {
  const { server, port } = await start(t)
  const taken: Socket[] = []
  server.on('connection', (socket) => taken.push(socket))
  const clients = Array.from({ length: CLIENTS }, () => connect(port, HOST))
  // The kernel completes all of them while this thread does something else.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
  let turns = 0
  while (taken.length < CLIENTS) {
    await setImmediate()
    turns += 1
  }
  assert.ok(turns < CLIENTS / 2, `${turns} turns`)
  for (const client of clients) client.destroy()
})

test('each of many clients is answered, whichever socket took it', async (t) => {
  const { listening } = await start(t)
  const ask = async () => (await fetch(listening.url, { headers: { connection: 'close' } })).text()
  const answers = await Promise.all(Array.from({ length: CLIENTS }, ask))
  assert.deepEqual(new Set(answers), new Set(['hello']))
})

test('closing waits for those that are connected, and takes nobody else', async (t) => {
  const { server, listening, port } = await start(t)
  const client = connect(port, HOST)
  await once(server, 'connection')
  let closed = false
  const closing = listening.close().then(() => (closed = true))
  await setImmediate()
  assert.equal(closed, false)
  client.end()
  await closing
  await assert.rejects(fetch(listening.url))
})

test('a port that somebody else has is an error', async (t) => {
  const { port } = await start(t)
  await assert.rejects(listenWide(createServer(), { host: HOST, port }), { code: 'EADDRINUSE' })
})
