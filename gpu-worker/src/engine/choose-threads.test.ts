import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseThreads } from './choose-threads.ts'

test('a small graph gets one thread, a large one every core', () => {
  assert.equal(chooseThreads({ graphBytes: 8e6, cores: 16 }), 1)
  assert.equal(chooseThreads({ graphBytes: 500e6, cores: 16 }), 16)
})
