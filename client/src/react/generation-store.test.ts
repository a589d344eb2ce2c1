import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Setblock } from '../client.ts'
import { GenerationStream } from '../generation-stream.ts'
import { ANSWER } from '../testing/scripted-server.ts'
import type { GenerationEvent } from '../wire.ts'
import { GenerationStore } from './generation-store.ts'

/** Gives the events at once and stays open until it is aborted. */
async function* staying(events: readonly GenerationEvent[], signal: AbortSignal) {
  yield* events
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
}

test('a generation is drawn though the one before had events on their way when it was replaced', async () => {
  const client = {
    generate: () => new GenerationStream((signal) => staying(ANSWER.slice(0, 3), signal)),
  } as Pick<Setblock, 'generate'> as Setblock
  const store = new GenerationStore()
  const request = { model: 'm', prompt: 'count' }
  // Whoever reads the events too may ask again at any of them, before the store has seen them all.
  for await (const event of store.send(client, request)) if (event.type === 'start') break
  store.send(client, request)
  await new Promise<void>((resolve) => {
    store.subscribe(() => {
      if (store.getState().status === 'streaming') resolve()
    })
  })
  assert.equal(store.getState().text, 'one')
  store.stop()
})
