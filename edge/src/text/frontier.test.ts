import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFrontier } from './frontier.ts'

test('tokens pass in order, however they are revealed', () => {
  const frontier = createFrontier({ start: 10, end: 20 })
  assert.deepEqual(frontier.reveal([12, 11], [120, 110]), [])
  assert.equal(frontier.hasHole(), true)
  assert.deepEqual(frontier.reveal([10, 14], [100, 140]), [100, 110, 120])
  assert.deepEqual(frontier.reveal([13], [130]), [130, 140])
  assert.equal(frontier.hasHole(), false)
})

test('a position is revealed once, inside the generation', () => {
  const frontier = createFrontier({ start: 10, end: 12 })
  frontier.reveal([11], [1])
  assert.throws(() => frontier.reveal([11], [1]), RangeError)
  assert.throws(() => frontier.reveal([9], [1]), RangeError)
  assert.throws(() => frontier.reveal([12], [1]), RangeError)
  frontier.reveal([10], [1])
  assert.throws(() => frontier.reveal([10], [1]), RangeError)
})
