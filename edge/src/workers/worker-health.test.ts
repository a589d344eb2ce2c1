import assert from 'node:assert/strict'
import { test } from 'node:test'
import { afterAsking, afterFailure, askingOrder, createHealthMemory } from './worker-health.ts'
import type { WorkerHealth } from './worker-health.ts'

const limits = {
  workerFailuresMax: 2,
  workerEjectMs: 1_000,
  workerEjectMsMax: 5_000,
  workerAnswerMs: 300,
  workersMax: 3,
}

test('a worker is ejected at the second failure in a row, for longer with each further one', () => {
  let health: WorkerHealth | undefined
  const ends = Array.from({ length: 6 }, () => {
    health = afterFailure(health, { now: 0, leaving: false, limits })
    return health.ejectedUntil
  })
  assert.deepEqual(ends, [0, 1_000, 2_000, 4_000, 5_000, 5_000])
})

test('a worker that says that it goes is ejected at once', () => {
  const health = afterFailure(undefined, { now: 7, leaving: true, limits })
  assert.deepEqual(health, { failures: 2, ejectedUntil: 1_007 })
})

test('the ejected are asked last, and all else keeps its order', () => {
  const ejected = new Set(['b', 'c'])
  const healthOf = (url: string) =>
    ejected.has(url) ? { failures: 2, ejectedUntil: 100 } : undefined
  assert.deepEqual(askingOrder(['b', 'a', 'c', 'd'], healthOf, 99), ['a', 'd', 'b', 'c'])
  assert.deepEqual(askingOrder(['b', 'a', 'c', 'd'], healthOf, 100), ['b', 'a', 'c', 'd'])
  assert.deepEqual(askingOrder(['b', 'c'], healthOf, 99), ['b', 'c'])
})

test('when its time is over one request tries it, and the others pass it by until that one knows', () => {
  const before = { failures: 3, ejectedUntil: 100 }
  assert.equal(afterAsking(before, { now: 99, limits }), before)
  assert.deepEqual(afterAsking(before, { now: 100, limits }), { failures: 3, ejectedUntil: 400 })
  assert.equal(afterAsking(undefined, { now: 100, limits }), undefined)
  const counting = { failures: 1, ejectedUntil: 0 }
  assert.equal(afterAsking(counting, { now: 100, limits }), counting)
})

test('the memory forgets a worker that answers, and of too many the oldest', () => {
  let now = 0
  const memory = createHealthMemory({ clock: () => now, limits })
  const urls = ['a', 'b', 'c', 'd']
  for (const url of urls.slice(0, 2)) for (let i = 0; i < 2; i++) memory.failed(url)
  assert.deepEqual(memory.order(urls), ['c', 'd', 'a', 'b'])
  memory.answered('a')
  assert.deepEqual(memory.order(urls), ['a', 'c', 'd', 'b'])
  for (const url of ['x', 'y', 'z']) memory.failed(url)
  assert.deepEqual(memory.order(urls), urls, 'b is forgotten')
  memory.failed('c', { leaving: true })
  now = 1_000
  memory.asking('c')
  assert.deepEqual(memory.order(urls), ['a', 'b', 'd', 'c'], 'one request is trying c')
})
