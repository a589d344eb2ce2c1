import assert from 'node:assert/strict'
import { test } from 'node:test'
import { predictedBlocks, speedupOf, timeOf } from './cost-model.ts'

const curve = new Map([
  [1, 1],
  [8, 1.7],
  [16, 2.5],
  [32, 4.1],
])

test('between measured rows the curve is linear, and goes on along its last piece', () => {
  assert.equal(timeOf(curve, 1), 1)
  assert.equal(timeOf(curve, 16), 2.5)
  assert.equal(timeOf(curve, 12), 2.1)
  assert.ok(Math.abs(timeOf(curve, 48) - 5.7) < 1e-9)
})

test('a flat curve gives the paper’s ratio of forwards', () => {
  const flat = new Map([[1, 3], [64, 3]]) // prettier-ignore
  assert.equal(speedupOf(flat, { blockLength: 16, forwardsPerBlock: 4 }), 4)
})

test('Eq. 16 of a block of eight in two forwards', () => {
  const expected = 8 / (2.5 + 1.7)
  assert.equal(speedupOf(curve, { blockLength: 8, forwardsPerBlock: 2 }), expected)
})

test('whole blocks are predicted as by Eq. 16, apart from the forward with the prompt', () => {
  const blocks = 1000
  const decoded = [{ tokens: 8 * blocks, blocks, forwards: 2 * blocks }]
  const { speedup } = predictedBlocks(curve, 8, decoded)
  const exact = speedupOf(curve, { blockLength: 8, forwardsPerBlock: 2 })
  assert.ok(Math.abs(speedup / exact - 1) < 1e-3)
})
