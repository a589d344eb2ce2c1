/** Requests that no client library would send, over bare sockets, to the edge and to a worker. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Cluster } from '../faults/cluster/cluster.ts'

const PLAIN = 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n'
const SMUGGLED = 'GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'
const POST = 'POST /v1/jobs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n'

/** Each could mean one request to a proxy in front and another one to us. */
const AMBIGUOUS: Readonly<Record<string, string>> = {
  'a length and chunks': `${POST}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  'two lengths': `${POST}content-length: 2\r\ncontent-length: 3\r\n\r\n{} `,
  'a length that is no number': `${POST}content-length: 2x\r\n\r\n{}`,
  'a signed length': `${POST}content-length: +2\r\n\r\n{}`,
  'an unknown coding': `${POST}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n`,
  'chunks that are not the last coding': `${POST}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
  'chunks told twice': `${POST}transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n`,
  'a chunk size that is no number': `${POST}transfer-encoding: chunked\r\n\r\nzz\r\n\r\n`,
  'a chunk longer than it says': `${POST}transfer-encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n`,
  'a space in front of the colon': `${POST}content-length : 2\r\n\r\n{}`,
  'a folded header': `${POST}x-a: b\r\n c\r\ncontent-length: 2\r\n\r\n{}`,
  'a bare line feed in a header': `${POST}x-a: b\ncontent-length: 2\r\n\r\n{}`,
  'a bare carriage return in a header': `${POST}x-a: b\rcontent-length: 2\r\n\r\n{}`,
  'a NUL in a header': `${POST}x-a: b\0c\r\ncontent-length: 2\r\n\r\n{}`,
  'a NUL in the path': `GET /health\0z HTTP/1.1\r\nhost: x\r\n\r\n`,
  'two hosts': `GET /healthz HTTP/1.1\r\nhost: x\r\nhost: x\r\n\r\n`,
  'no host': `GET /healthz HTTP/1.1\r\n\r\n`,
  'a version of its own': `GET /healthz HTTP/9.9\r\nhost: x\r\n\r\n`,
  'headers without end': `GET /healthz HTTP/1.1\r\nhost: x\r\nx-a: ${'a'.repeat(40_000)}\r\n\r\n`,
  'many headers': `GET /healthz HTTP/1.1\r\nhost: x\r\n${'a: b\r\n'.repeat(8000)}\r\n`,
  'a request line without end': `GET /${'a'.repeat(40_000)} HTTP/1.1\r\nhost: x\r\n\r\n`,
}

/** Everything a server says to these bytes until it closes the connection. */
async function answerTo(url: string, bytes: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  let answer = ''
  socket.setEncoding('latin1').on('data', (text: string) => (answer += text))
  // A reset after the answer is as good as a close.
  socket.on('error', () => undefined)
  socket.write(bytes, 'latin1')
  await once(socket, 'close')
  return answer
}

const statusesOf = (answer: string): string[] =>
  [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => match[1]!)

describe('over bare sockets', () => {
  let root: string
  let cluster: Cluster
  before(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'setblock-sockets-'))
    cluster = await Cluster.start({ root, workers: 1 })
  })
  after(async () => {
    await cluster?.close()
    await rm(root, { recursive: true, force: true })
  })
  const servers = (): [string, string][] => [
    ['the edge', cluster.url],
    ['a worker', cluster.seats[0]!.worker.url],
  ]

  for (const [name, bytes] of Object.entries(AMBIGUOUS)) {
    test(`${name}: refused, and what follows is not read`, async () => {
      for (const [server, url] of servers()) {
        const statuses = statusesOf(await answerTo(url, bytes + SMUGGLED))
        assert.match(statuses.join(), /^4\d\d(?:,4\d\d)?$/, server)
      }
    })
  }

  test('plain requests on one connection are all answered', async () => {
    for (const [server, url] of servers()) {
      assert.deepEqual(statusesOf(await answerTo(url, PLAIN + SMUGGLED)), ['200', '200'], server)
    }
  })

  test('no path leads out of what is served', async () => {
    const paths = [
      '/../../etc/passwd',
      '/assets/../../package.json',
      '/assets/..%2f..%2fpackage.json',
      '/assets/%2e%2e/%2e%2e/package.json',
      '/assets/..\\..\\package.json',
      '/docs/..%5c..%5cpackage.json',
      '//etc/passwd',
      '/v1/models/..%2f..%2fsetblock.json',
    ]
    for (const [server, url] of servers()) {
      for (const target of paths) {
        const answer = await answerTo(
          url,
          `GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
        )
        assert.match(statusesOf(answer)[0]!, /^4\d\d$/, `${server} ${target}`)
        assert.doesNotMatch(answer, /"workspaces"|root:/)
      }
    }
  })

  test('nothing a client sends comes back as a header', async () => {
    const line = '%0d%0aset-cookie:%20a=b'
    for (const [server, url] of servers()) {
      for (const request of [
        `GET /v1/sessions/${line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
        `GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-request-id: a${line}\r\norigin: http://x${line}\r\n\r\n`,
      ]) {
        assert.doesNotMatch(await answerTo(url, request), /^set-cookie:/im, server)
      }
    }
  })
})
