import assert from 'node:assert/strict'
import { test } from 'node:test'
import { collect } from '../test-support/collect.ts'
import { readAhead } from './read-ahead.ts'

async function* list(...frames: string[]): AsyncGenerator<string> {
  yield* frames
}

test('frames pass in order', async () => {
  assert.deepEqual(await collect(readAhead(list('a', 'b', 'c'), 10)), ['a', 'b', 'c'])
})

test('the source is read to its end while its reader rests', async () => {
  const ended = Promise.withResolvers<void>()
  async function* source(): AsyncGenerator<string> {
    yield* ['a', 'b', 'c']
    ended.resolve()
  }
  const frames = readAhead(source(), 10)
  assert.equal((await frames.next()).value, 'a')
  await ended.promise
  assert.deepEqual(await collect(frames), ['b', 'c'])
})

test('beyond the bound the source is ended, and the reader told after what was read', async () => {
  let given = 0
  const ended = Promise.withResolvers<void>()
  async function* endless(): AsyncGenerator<string> {
    try {
      for (;;) yield String(given++)
    } finally {
      ended.resolve()
    }
  }
  const frames = readAhead(endless(), 5)
  const read: string[] = []
  await assert.rejects(
    async () => {
      for await (const frame of frames) {
        read.push(frame)
        await ended.promise
      }
    },
    { code: 'reader_too_slow' },
  )
  assert.deepEqual(
    read,
    Array.from({ length: given }, (_, index) => String(index)),
  )
  assert.ok(given <= 8)
})

test('a failure of the source comes after its frames', async () => {
  async function* failing(): AsyncGenerator<string> {
    yield 'a'
    throw new Error('broken')
  }
  const frames = readAhead(failing(), 10)
  assert.equal((await frames.next()).value, 'a')
  await assert.rejects(frames.next(), /broken/)
})
