import assert from 'node:assert/strict'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { createSetblock } from '@setblock/client'
import { MODEL, stackUnderTest } from './stack-under-test.ts'

const messages = [{ role: 'user' as const, content: 'Tell me a story about a cat, boat.' }]

describe('a connection that is cut on the way', { timeout: 120_000 }, () => {
  const under = stackUnderTest('node')
  const sockets = new Set<Socket>()
  /** Bytes of answers after which each next connection is cut; none means that it stays whole. */
  let cuts: number[] = []
  let connections = 0

  /** Stands between client and edge, and cuts. */
  const proxy = createServer((client) => {
    connections += 1
    let left = cuts.shift() ?? Number.POSITIVE_INFINITY
    const edge = connect(Number(new URL(under.stack.edgeUrl).port), '127.0.0.1')
    const destroy = (): void => {
      client.destroy()
      edge.destroy()
    }
    for (const socket of [client, edge]) {
      sockets.add(socket)
      socket.on('error', destroy).on('close', destroy)
    }
    client.pipe(edge)
    edge.on('data', (data) => {
      client.write(data.subarray(0, left))
      left -= data.length
      if (left <= 0) destroy()
    })
  })
  before(() => new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve)))
  after(() => {
    for (const socket of sockets) socket.destroy()
    proxy.close()
  })

  const clientOf = (baseUrl: string) =>
    createSetblock({ baseUrl, apiKey: under.stack.demoKey, retryDelayMs: 1, retriesMax: 4 })

  test('the answer is the same, event by event, however often and wherever it is cut', async () => {
    const request = { model: MODEL, messages, gamma: 0.35, max_tokens: 80 }
    const whole = await Array.fromAsync(clientOf(under.stack.edgeUrl).generate(request))
    const proxied = clientOf(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`)
    for (const places of [[900], [1500, 1200], [2500, 700, 3000]]) {
      // A connection that is kept for the next request would not be cut.
      for (const socket of sockets) socket.destroy()
      sockets.clear()
      cuts = [...places]
      connections = 0
      const events = await Array.fromAsync(proxied.generate(request))
      assert.equal(connections, places.length + 1)
      const told = (list: typeof events) =>
        list.filter(({ type }) => type === 'reveal' || type === 'text')
      assert.deepEqual(told(events), told(whole))
      assert.deepEqual(
        events.map(({ type }) => type),
        whole.map(({ type }) => type),
      )
    }
  })
})
