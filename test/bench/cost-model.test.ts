import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blocksMs, speedupOf, timeOf } from './cost-model.ts'

const curve = new Map([
  [1, 1],
  [8, 1.7],
  [16, 2.5],
  [32, 4.1],
])

const curves = { ntp: curve, own: curve }

test('between measured rows the curve is linear, and goes on along its last piece', () => {
  assert.equal(timeOf(curve, 1), 1)
  assert.equal(timeOf(curve, 16), 2.5)
  assert.equal(timeOf(curve, 12), 2.1)
  assert.ok(Math.abs(timeOf(curve, 48) - 5.7) < 1e-9)
})

test('a flat curve gives the paper’s ratio of forwards', () => {
  const flat = new Map([[1, 3], [64, 3]]) // prettier-ignore
  assert.equal(speedupOf({ ntp: flat, own: flat }, { blockLength: 16, forwardsPerBlock: 4 }), 4)
})

test('Eq. 16 of a block of eight in two forwards', () => {
  const expected = 8 / (2.5 + 1.7)
  assert.equal(speedupOf(curves, { blockLength: 8, forwardsPerBlock: 2 }), expected)
})

test('counted blocks cost what Eq. 16 says of whole ones, without the forward of each prompt', () => {
  const decoded = [{ blocks: 11, forwards: 32 }]
  assert.equal(blocksMs(curve, 8, decoded), 10 * 2.5 + 21 * 1.7)
})

test('rows that cost more when several tokens are decoded lower the speed-up', () => {
  const dearer = new Map([...curve].map(([rows, ms]) => [rows, 2 * ms]))
  const shape = { blockLength: 8, forwardsPerBlock: 2 }
  assert.equal(speedupOf({ ntp: curve, own: dearer }, shape), speedupOf(curves, shape) / 2)
})
