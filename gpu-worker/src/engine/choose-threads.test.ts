import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseThreads } from './choose-threads.ts'

test('a small graph gets one thread, and more to try for many rows; a large one every core', () => {
  assert.deepEqual(chooseThreads({ graphBytes: 8e6, cores: 2 }), { threads: 1, wideThreads: 2 })
  assert.deepEqual(chooseThreads({ graphBytes: 8e6, cores: 16 }), { threads: 1, wideThreads: 4 })
  assert.deepEqual(chooseThreads({ graphBytes: 8e6, cores: 1 }), { threads: 1 })
  assert.deepEqual(chooseThreads({ graphBytes: 500e6, cores: 16 }), { threads: 16 })
})
