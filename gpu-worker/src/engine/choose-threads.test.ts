import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseThreads } from './choose-threads.ts'

const small = (cores: number, engines = 0) => chooseThreads({ graphBytes: 8e6, cores, engines })
const large = (cores: number, engines = 0) => chooseThreads({ graphBytes: 500e6, cores, engines })

test('a small graph gets an engine for each core, and more threads to try for many rows', () => {
  assert.deepEqual(small(2), { engines: 2, threads: 1, wideThreads: 2 })
  assert.deepEqual(small(8), { engines: 8, threads: 1, wideThreads: 4 })
  assert.deepEqual(small(1), { engines: 1, threads: 1 })
})

test('a large graph gets one engine on every core', () => {
  assert.deepEqual(large(16), { engines: 1, threads: 16 })
})

test('a number of engines that is asked for is kept, and shares the cores', () => {
  assert.deepEqual(small(8, 1), { engines: 1, threads: 1, wideThreads: 4 })
  assert.deepEqual(large(16, 2), { engines: 2, threads: 8 })
  assert.deepEqual(large(2, 4), { engines: 4, threads: 1 })
})
