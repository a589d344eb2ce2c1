import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { createSetblock, SetblockError, type SetblockOptions } from './index.ts'
import {
  ANSWER,
  END,
  failing,
  frames,
  scriptedServer,
  START,
  streaming,
} from './testing/scripted-server.ts'

const server = scriptedServer()
const request = { model: 'm', prompt: 'p' }

const client = (options: Partial<SetblockOptions> = {}) =>
  createSetblock({ baseUrl: server.url, apiKey: 'sb-1', retryDelayMs: 1, ...options })

const isError =
  (code: string, more: Partial<SetblockError> = {}) =>
  (error: unknown) => {
    assert.ok(error instanceof SetblockError, String(error))
    assert.equal(error.code, code)
    for (const [name, value] of Object.entries(more)) {
      assert.equal(error[name as keyof SetblockError], value, name)
    }
    return true
  }

test('events, text, reveals, usage and answer of one generation, read side by side or late', async () => {
  server.play(streaming(`: hello\n\n${frames(ANSWER)}`))
  const stream = client().generate(request)
  const [events, text, reveals] = await Promise.all([
    Array.fromAsync(stream),
    Array.fromAsync(stream.text()),
    Array.fromAsync(stream.reveals()),
  ])
  assert.deepEqual(events, ANSWER)
  assert.deepEqual(text, ['one', ' two three'])
  assert.deepEqual(
    reveals.map(({ positions }) => positions),
    [[3, 5], [4]],
  )
  assert.deepEqual(await stream.usage, END.usage)
  assert.deepEqual(await stream.answer, {
    id: 'gen-1',
    model: 'm',
    seed: 7,
    text: 'one two three',
    finish_reason: 'stop',
    usage: END.usage,
  })
  assert.deepEqual(await Array.fromAsync(stream.text()), text)
})

test('the request is sent as it is, as a stream, with the key and an idempotency key', async () => {
  server.play(streaming(frames(ANSWER)))
  await client().generate({ ...request, gamma: 'low', reveals: false }).answer
  await client().generate(request, { idempotencyKey: 'mine' }).answer
  const [first, second] = server.received
  assert.equal(first?.method, 'POST')
  assert.equal(first.path, '/v1/generate')
  assert.deepEqual(first.body, { ...request, gamma: 'low', reveals: false, stream: true })
  assert.equal(first.headers.authorization, 'Bearer sb-1')
  assert.match(String(first.headers['idempotency-key']), /^[0-9a-f]{32}$/)
  assert.deepEqual(second?.body, { ...request, reveals: true, stream: true })
  assert.equal(second.headers['idempotency-key'], 'mine')
})

test('an event of a type that is not known is skipped', async () => {
  server.play(streaming(frames([START, { type: 'weather' }, END])))
  assert.deepEqual(await Array.fromAsync(client().generate(request)), [START, END])
})

test('an error answer keeps all it says, and one that cannot pass is not repeated', async () => {
  server.play(
    failing(400, 'invalid_request', { 'x-request-id': 'r-1', 'x-should-retry': 'false' }, 'gamma'),
  )
  const stream = client().generate(request)
  const expected = {
    status: 400,
    param: 'gamma',
    retryable: false,
    requestId: 'r-1',
    message: 'it is invalid_request',
  }
  await assert.rejects(stream.answer, isError('invalid_request', expected))
  await assert.rejects(stream.usage, isError('invalid_request', expected))
  await assert.rejects(Array.fromAsync(stream.text()), isError('invalid_request'))
  assert.equal(server.received.length, 1)
})

test('failures that may pass are repeated under the same key, until they have not passed', async () => {
  server.play(
    failing(429, 'overloaded', { 'retry-after': '0' }),
    (response) => response.destroy(),
    streaming(frames(ANSWER)),
  )
  assert.equal((await client().generate(request).answer).text, 'one two three')
  const keys = server.received.map(({ headers }) => headers['idempotency-key'])
  assert.equal(keys.length, 3)
  assert.equal(new Set(keys).size, 1)

  server.play(failing(503, 'worker_unavailable'))
  const hopeless = client({ retriesMax: 1 }).generate(request)
  await assert.rejects(
    hopeless.answer,
    isError('worker_unavailable', { status: 503, retryable: true }),
  )
  assert.equal(server.received.length, 5)
})

test('the server’s word on repeating counts for more than the status', async () => {
  server.play(failing(503, 'worker_unavailable', { 'x-should-retry': 'false' }))
  await assert.rejects(
    client().generate(request).answer,
    isError('worker_unavailable', { retryable: false }),
  )
  assert.equal(server.received.length, 1)
})

test('advice when to return is told and followed', async () => {
  server.play(failing(429, 'overloaded', { 'retry-after': '2' }))
  const refused = client({ retriesMax: 0 }).generate(request)
  await assert.rejects(refused.answer, isError('overloaded', { retryAfterMs: 2000 }))
})

test('a generation that fails as its first event is begun anew, under another key', async () => {
  const failure = {
    type: 'error',
    error: { message: 'gone', type: 'x', param: null, code: 'worker_draining' },
  }
  server.play(streaming(frames([failure])), streaming(frames(ANSWER)))
  assert.equal((await client().generate(request).answer).text, 'one two three')
  const keys = server.received.map(({ headers }) => headers['idempotency-key'])
  assert.equal(new Set(keys).size, 2)
})

test('a generation that fails later is not repeated: its text is out already', async () => {
  const failure = {
    type: 'error',
    error: { message: 'gone', type: 'x', param: null, code: 'worker_unavailable' },
  }
  server.play(streaming(frames([...ANSWER.slice(0, 3), failure])))
  const stream = client().generate(request)
  const seen: string[] = []
  await assert.rejects(
    async () => {
      for await (const delta of stream.text()) seen.push(delta)
    },
    isError('worker_unavailable', { retryable: true, status: undefined }),
  )
  assert.deepEqual(seen, ['one'])
  assert.equal(server.received.length, 1)
})

test('a connection cut anywhere is taken up behind the last event', async () => {
  for (let cut = 1; cut < ANSWER.length; cut += 1) {
    for (const how of ['cut', 'end'] as const) {
      server.play(
        streaming(frames(ANSWER.slice(0, cut)), how),
        failing(503, 'worker_unavailable'),
        streaming(frames(ANSWER.slice(cut), cut + 1)),
      )
      const before = server.received.length
      assert.deepEqual(await Array.fromAsync(client().generate(request)), ANSWER, `cut at ${cut}`)
      const [first, , last] = server.received.slice(before)
      assert.ok(first !== undefined)
      assert.equal(first.headers['last-event-id'], undefined)
      assert.equal(last?.headers['last-event-id'], `a-${cut}`)
      assert.equal(last.headers['idempotency-key'], first.headers['idempotency-key'])
      assert.deepEqual(last.body, first.body)
    }
  }
})

test('half an event before a cut counts as none', async () => {
  const [head, tail] = [frames(ANSWER.slice(0, 2)), frames(ANSWER.slice(2), 3)]
  server.play(streaming(head + tail.slice(0, 30), 'cut'), streaming(tail))
  assert.deepEqual(await Array.fromAsync(client().generate(request)), ANSWER)
})

test('without event ids a cut cannot be mended', async () => {
  const text = frames(ANSWER.slice(0, 3)).replaceAll(/^id: .*\n/gm, '')
  server.play(streaming(text, 'cut'))
  await assert.rejects(
    client().generate(request).answer,
    isError('connection_lost', { retryable: true }),
  )
  assert.equal(server.received.length, 1)
})

test('silence counts as a cut', async () => {
  server.play(streaming(frames(ANSWER.slice(0, 3)), 'stay'), streaming(frames(ANSWER.slice(3), 4)))
  const stream = client({ idleTimeoutMs: 60 }).generate(request)
  assert.deepEqual(await Array.fromAsync(stream), ANSWER)
})

test('a reader that was too slow takes the stream up again', async () => {
  const failure = {
    type: 'error',
    error: { message: 'slow', type: 'x', param: null, code: 'reader_too_slow' },
  }
  server.play(
    streaming(frames(ANSWER.slice(0, 3)) + frames([failure], 4)),
    streaming(frames(ANSWER.slice(3), 4)),
  )
  assert.deepEqual(await Array.fromAsync(client().generate(request)), ANSWER)
  assert.equal(server.received[1]?.headers['last-event-id'], 'a-3')
})

test('abort ends the loops quietly, the answer with a word, and the connection', async () => {
  let closed: () => void = () => undefined
  const left = new Promise<void>((resolve) => (closed = resolve))
  server.play((response, received) => {
    response.on('close', closed)
    streaming(frames(ANSWER.slice(0, 3)), 'stay')(response, received)
  })
  const stream = client().generate(request)
  const seen: string[] = []
  for await (const delta of stream.text()) {
    seen.push(delta)
    stream.abort()
  }
  assert.deepEqual(seen, ['one'])
  assert.equal(stream.textSoFar, 'one')
  await assert.rejects(stream.answer, isError('aborted'))
  await left
})

test('abort ends a generation that the server would keep for its client', async () => {
  const ended = new Promise<void>((resolve) => {
    server.play(
      (response, received) => {
        response.setHeader('x-setblock-stream-id', 's-1')
        streaming(frames(ANSWER.slice(0, 3)), 'stay')(response, received)
      },
      (response) => {
        response.writeHead(204).end()
        resolve()
      },
    )
  })
  const stream = client().generate(request)
  for await (const _ of stream.text()) stream.abort()
  await ended
  const [begun, last] = server.received
  assert.equal(begun?.headers['x-setblock-resumable'], 'true')
  assert.deepEqual([last?.method, last?.path], ['DELETE', '/v1/streams/s-1'])
})

test('a signal aborts, before and during', async () => {
  server.play(streaming(frames(ANSWER.slice(0, 3)), 'stay'))
  const controller = new AbortController()
  const during = client().generate(request, { signal: controller.signal })
  for await (const _ of during.text()) controller.abort()
  await assert.rejects(during.answer, isError('aborted'))
  const before = client().generate(request, { signal: controller.signal })
  assert.deepEqual(await Array.fromAsync(before), [])
  await assert.rejects(before.usage, isError('aborted'))
})

test('an abort while waiting to repeat is heard at once', async () => {
  server.play(failing(429, 'overloaded', { 'retry-after': '30' }))
  const stream = client().generate(request)
  while (server.received.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  stream.abort()
  await assert.rejects(stream.answer, isError('aborted'))
})

test('leaving the only loop aborts; leaving one of two does not', async () => {
  server.play(streaming(frames(ANSWER.slice(0, 3)), 'stay'))
  const alone = client().generate(request)
  for await (const _ of alone) break
  await assert.rejects(alone.answer, isError('aborted'))

  server.play(streaming(frames(ANSWER)))
  const two = client().generate(request)
  const other = Array.fromAsync(two.text())
  for await (const _ of two.reveals()) break
  assert.deepEqual(await other, ['one', ' two three'])
})

test('what is no answer of this API is said to be none', async () => {
  const page = (status: number) => (response: ServerResponse) => {
    response.writeHead(status, { 'content-type': 'text/html' }).end('<h1>Sorry</h1>')
  }
  for (const step of [page(200), page(404), streaming('data: {"type"\n\n')]) {
    server.play(step)
    await assert.rejects(client().generate(request).answer, isError('invalid_answer'))
  }
})

test('nobody there', async () => {
  const nowhere = createSetblock({ baseUrl: 'http://127.0.0.1:1', apiKey: 'k', retriesMax: 0 })
  await assert.rejects(nowhere.models(), isError('connection_failed', { retryable: true }))
})

test('who leaves before the headers are there ends the stream as soon as it has a name', async () => {
  const ended = Promise.withResolvers<string>()
  server.play((response, { method, path }) => {
    if (method === 'DELETE') {
      response.writeHead(204).end()
      ended.resolve(path)
      return
    }
    stream.abort()
    void assert.rejects(stream.answer, isError('aborted')).then(() => {
      const type = 'text/event-stream; charset=utf-8'
      response.writeHead(200, { 'content-type': type, 'x-setblock-stream-id': 'late' })
      response.flushHeaders()
    })
  })
  const stream = client().generate(request)
  assert.equal(await ended.promise, '/v1/streams/late')
  assert.equal(server.received.length, 2)
})

test('a question for the models that its caller ends was not a lost connection', async () => {
  const controller = new AbortController()
  server.play(() => controller.abort())
  const asked = client().models({ signal: controller.signal })
  await assert.rejects(asked, isError('aborted', { retryable: false }))
})

test('a token is kept until it is refused, then asked for once more', async () => {
  let given = 0
  const getToken = async (): Promise<string> => `sbt-${(given += 1)}`
  const withTokens = createSetblock({ baseUrl: server.url, getToken })
  server.play(streaming(frames(ANSWER)), failing(401, 'token_expired'), streaming(frames(ANSWER)))
  await withTokens.generate(request).answer
  await withTokens.generate(request).answer
  const sent = server.received.map(({ headers }) => headers.authorization)
  assert.deepEqual(sent, ['Bearer sbt-1', 'Bearer sbt-1', 'Bearer sbt-2'])
  server.play(failing(401, 'invalid_api_key'))
  await assert.rejects(
    withTokens.generate(request).answer,
    isError('invalid_api_key', { status: 401 }),
  )
  assert.equal(given, 3)
})

test('an error of getToken is the caller’s own', async () => {
  const broken = createSetblock({
    baseUrl: server.url,
    getToken: () => Promise.reject(new RangeError('no session')),
  })
  await assert.rejects(broken.generate(request).answer, RangeError)
})

test('credentials and the base URL are checked at once', () => {
  assert.throws(() => createSetblock({ baseUrl: server.url }), TypeError)
  assert.throws(() => createSetblock({ baseUrl: 'here', apiKey: 'k' }), TypeError)
})
