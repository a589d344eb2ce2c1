import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { findPort } from './ports.ts'

const host = '127.0.0.1'

test('0 becomes a free port that can be used at once', async () => {
  const port = await findPort({ host, port: 0, option: '--port' })
  assert.ok(port > 0)
  assert.equal(await findPort({ host, port, option: '--port' }), port)
})

test('a taken port is named, with the option that chooses another', async (t) => {
  const server = createServer().listen(0, host)
  t.after(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await assert.rejects(findPort({ host, port, option: '--worker-port' }), {
    name: 'StartError',
    message: `port ${port} on 127.0.0.1 is in use; choose another with --worker-port`,
  })
})
