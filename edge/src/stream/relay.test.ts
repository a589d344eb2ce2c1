import assert from 'node:assert/strict'
import { test } from 'node:test'
import { abortable } from './abortable.ts'
import { ClientLost, relay } from './relay.ts'
import type { RelayOptions, RelayOutcome } from './relay.ts'

interface Run {
  body: ReadableStream<Uint8Array>
  controller: AbortController
  /** Resolves with the one outcome; a second one would reject the pump. */
  outcome: Promise<RelayOutcome>
}

function run(frames: AsyncIterable<string>, options: Partial<RelayOptions> = {}): Run {
  const controller = options.controller ?? new AbortController()
  const pumps: Promise<unknown>[] = []
  const outcomes: RelayOutcome[] = []
  const body = relay({
    frames,
    controller,
    errorFrame: (error) => `data: failed ${error.message}\n\n`,
    onEnd: (outcome) => outcomes.push(outcome),
    waitUntil: (work) => pumps.push(work),
    now: Date.now,
    heartbeatMs: 60_000,
    stallMs: 60_000,
    ...options,
  })
  const outcome = Promise.all(pumps).then(() => {
    assert.equal(outcomes.length, 1)
    return outcomes[0]!
  })
  return { body, controller, outcome }
}

const read = (body: ReadableStream<Uint8Array>) => new Response(body).text()

async function* list(...frames: string[]): AsyncGenerator<string> {
  yield* frames
}

/** Yields `frames`, then waits until the signal aborts; `closed` resolves when it has unwound. */
function parked(signal: AbortSignal, ...frames: string[]) {
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  async function* generate(): AsyncGenerator<string> {
    try {
      yield* frames
      await abortable(new Promise(() => undefined), signal)
    } finally {
      resolve()
    }
  }
  return { frames: generate(), closed }
}

test('frames arrive in order and the end is counted', async () => {
  const { body, outcome } = run(list('data: a\n\n', 'data: é\n\n'))
  assert.equal(await read(body), 'data: a\n\ndata: é\n\n')
  assert.deepEqual(await outcome, { how: 'done', bytes: 19 })
})

test('a failure behind the stream becomes its last frame', async () => {
  async function* failing(): AsyncGenerator<string> {
    yield 'data: a\n\n'
    throw new Error('broken')
  }
  const { body, outcome, controller } = run(failing())
  assert.equal(await read(body), 'data: a\n\ndata: failed broken\n\n')
  assert.equal((await outcome).how, 'failed')
  assert.equal(controller.signal.aborted, true)
})

test('a client that cancels ends the source, also one that waits', async () => {
  const controller = new AbortController()
  const { frames, closed } = parked(controller.signal, 'data: a\n\n')
  const { body, outcome } = run(frames, { controller })
  const reader = body.getReader()
  await reader.read()
  await reader.cancel()
  assert.equal((await outcome).how, 'client-gone')
  assert.ok(controller.signal.reason instanceof ClientLost)
  await closed
})

test('a signal that the client left ends the source', async () => {
  const controller = new AbortController()
  const { frames, closed } = parked(controller.signal, 'data: a\n\n')
  const { body, outcome } = run(frames, { controller })
  const reader = body.getReader()
  await reader.read()
  controller.abort(new ClientLost('client-gone'))
  assert.equal((await outcome).how, 'client-gone')
  await closed
  await assert.rejects(reader.read())
})

test('a request that is over before it begins sends nothing', async () => {
  const controller = new AbortController()
  controller.abort(new ClientLost('client-gone'))
  const { body, outcome } = run(list('data: a\n\n'), { controller })
  assert.deepEqual((await outcome).bytes, 0)
  await assert.rejects(read(body))
})

test('a silent stream carries keep-alive comments', async () => {
  const controller = new AbortController()
  const { frames } = parked(controller.signal)
  const { body } = run(frames, { controller, heartbeatMs: 20 })
  const reader = body.getReader()
  for (let count = 0; count < 3; count++) {
    const { value } = await reader.read()
    assert.equal(new TextDecoder().decode(value), ': keep-alive\n\n')
  }
  await reader.cancel()
})

test('a client that takes nothing is given up', async () => {
  const { body, outcome } = run(list('data: a\n\n'), { stallMs: 40 })
  assert.equal((await outcome).how, 'stalled')
  await assert.rejects(read(body))
})

test('a client that takes nothing is lost before it can be told of a failure', async () => {
  async function* failing(): AsyncGenerator<string> {
    yield* []
    throw new Error('broken')
  }
  const { outcome } = run(failing(), { stallMs: 40 })
  assert.equal((await outcome).how, 'stalled')
})
