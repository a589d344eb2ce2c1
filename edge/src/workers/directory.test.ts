import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rotate, workersFor } from './choose-workers.ts'
import { cacheDirectory, createStaticDirectory, joinDirectories } from './directory.ts'
import type { WorkerDirectory } from './directory.ts'

const failing: WorkerDirectory = { list: () => Promise.reject(new Error('no answer')) }
const knowing = (...urls: string[]): WorkerDirectory => ({
  list: () => Promise.resolve(urls.map((url) => ({ url, models: ['m'] }))),
})

test('sources add up: each worker once, not more than the bound, and what is known of its models', async () => {
  const sources = [createStaticDirectory(['a', 'b']), knowing('b', 'c', 'd')]
  assert.deepEqual(await joinDirectories(sources, { workersMax: 3 }).list(), [
    { url: 'a' },
    { url: 'b', models: ['m'] },
    { url: 'c', models: ['m'] },
  ])
})

test('a source that fails takes nothing from the others; when all fail it shows', async () => {
  const bounds = { workersMax: 9 }
  const some = joinDirectories([failing, createStaticDirectory(['a'])], bounds)
  assert.deepEqual(await some.list(), [{ url: 'a' }])
  await assert.rejects(joinDirectories([failing, failing], bounds).list(), /no answer/)
})

test('a cached list is asked for again when it is old, and outlives failures', async () => {
  let now = 0
  let answer = () => Promise.resolve([{ url: 'a' }])
  const cached = cacheDirectory({ list: () => answer() }, { cacheMs: 10, clock: () => now })
  assert.deepEqual(await cached.list(), [{ url: 'a' }])
  answer = () => Promise.resolve([{ url: 'b' }])
  assert.deepEqual(await cached.list(), [{ url: 'a' }])
  now = 10
  assert.deepEqual(await cached.list(), [{ url: 'b' }])
  answer = () => Promise.reject(new Error('no answer'))
  now = 20
  assert.deepEqual(await cached.list(), [{ url: 'b' }])
  await assert.rejects(
    cacheDirectory(failing, { cacheMs: 10, clock: () => now }).list(),
    /no answer/,
  )
})

test('a job goes to workers that have its model or do not say', () => {
  const entries = [{ url: 'a' }, { url: 'b', models: ['m', 'n'] }, { url: 'c', models: ['n'] }]
  assert.deepEqual(workersFor(entries, 'm'), ['a', 'b'])
  assert.deepEqual(workersFor(entries, 'other'), ['a'])
})

test('one after the other comes first, and of none there is none', () => {
  assert.deepEqual(
    [0, 1, 2, 3].map((by) => rotate(['a', 'b', 'c'], by).join('')),
    ['abc', 'bca', 'cab', 'abc'],
  )
  assert.deepEqual(rotate([], 5), [])
})
