import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { decode, encode } from 'dns-packet'
import type { Answer } from 'dns-packet'
import { createDnsDirectory } from './dns-directory.ts'
import type { DnsName } from './worker-sources.ts'

/** A name server on loopback with the records of the moment; `undefined` makes it fall silent. */
async function startNameServer(t: TestContext) {
  const zone: { answers: Answer[] | undefined } = { answers: [] }
  const socket = createSocket('udp4', (message, peer) => {
    if (zone.answers === undefined) return
    const query = decode(message)
    const [question] = query.questions ?? []
    const answers = zone.answers.filter(
      ({ name, type }) => name === question?.name && type === question.type,
    )
    const reply = encode({ type: 'response', id: query.id!, questions: query.questions!, answers })
    socket.send(reply, peer.port, peer.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.after(() => socket.close())
  const resolver = new Resolver({ timeout: 100, tries: 2 })
  resolver.setServers([`127.0.0.1:${socket.address().port}`])
  return { zone, resolver }
}

const NAME = 'worker.gpu.svc'

async function start(t: TestContext, change: Partial<DnsName> = {}) {
  const { zone, resolver } = await startNameServer(t)
  const failures: unknown[] = []
  let now = 0
  const name: DnsName = { record: 'address', scheme: 'http', host: NAME, port: 8788, ...change }
  const directory = createDnsDirectory(name, {
    resolver,
    refreshMs: 1_000,
    clock: () => now,
    onFailure: (error) => failures.push(error),
  })
  const urls = async () => (await directory.list()).map(({ url }) => url)
  /** The list after the next lookup, which goes on behind the back of whoever asks first. */
  async function refreshed(): Promise<string[]> {
    const before = failures.length
    now += 1_000
    const old = await urls()
    for (let tries = 0; tries < 200; tries++) {
      const current = await urls()
      if (current.join() !== old.join() || failures.length > before) return current
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    return urls()
  }
  return { zone, failures, urls, refreshed, directory }
}

const address = (data: string): Answer => ({ name: NAME, type: 'A', ttl: 5, data })

test('a name’s addresses are workers, of both families, and change without a restart', async (t) => {
  const { zone, urls, refreshed } = await start(t)
  zone.answers = [address('10.0.0.2'), address('10.0.0.1')]
  assert.deepEqual(await urls(), ['http://10.0.0.1:8788', 'http://10.0.0.2:8788'])
  zone.answers = [address('10.0.0.2'), { name: NAME, type: 'AAAA', ttl: 5, data: 'fd00::3' }]
  assert.deepEqual(await urls(), ['http://10.0.0.1:8788', 'http://10.0.0.2:8788'], 'still fresh')
  assert.deepEqual(await refreshed(), ['http://10.0.0.2:8788', 'http://[fd00::3]:8788'])
})

test('service records name workers and their ports', async (t) => {
  const host = '_jobs._tcp.worker.gpu.svc'
  const { zone, urls } = await start(t, { record: 'srv', scheme: 'https', host, port: 443 })
  zone.answers = ['worker-1', 'worker-0'].map((pod) => ({
    name: host,
    type: 'SRV',
    ttl: 5,
    data: { target: `${pod}.${NAME}`, port: 8788, priority: 0, weight: 100 },
  }))
  assert.deepEqual(await urls(), [
    'https://worker-0.worker.gpu.svc:8788',
    'https://worker-1.worker.gpu.svc:8788',
  ])
})

test('a name server that fails takes no worker away; before any answer the failure shows', async (t) => {
  const { zone, urls, refreshed, failures } = await start(t)
  zone.answers = undefined
  await assert.rejects(urls(), /ETIMEOUT/)
  zone.answers = [address('10.0.0.1')]
  assert.deepEqual(await urls(), ['http://10.0.0.1:8788'])
  for (const answers of [undefined, []]) {
    zone.answers = answers
    const before = failures.length
    assert.deepEqual(await refreshed(), ['http://10.0.0.1:8788'])
    assert.equal(failures.length, before + 1)
  }
})
