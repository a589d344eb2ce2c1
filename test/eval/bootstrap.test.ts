import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pairedDifference } from './bootstrap.ts'

const rows = (rights: number, count: number): boolean[] =>
  Array.from({ length: count }, (_, row) => row < rights)

test('equal answers differ by nothing, whatever the accuracy', () => {
  assert.deepEqual(pairedDifference(rows(30, 100), rows(30, 100)), { mean: 0, low: 0, high: 0 })
})

test('the interval holds the mean and is that of a sum of independent pairs', () => {
  // Ten of a hundred rows become wrong: mean -0.1, standard error sqrt(0.1 * 0.9 / 100) = 0.03.
  const { mean, low, high } = pairedDifference(rows(60, 100), rows(50, 100))
  assert.ok(Math.abs(mean + 0.1) < 1e-12)
  assert.ok(low < -0.14 && low > -0.18, String(low))
  assert.ok(high < -0.03 && high > -0.07, String(high))
})

test('pairs are needed', () => {
  assert.throws(() => pairedDifference([true], []), RangeError)
})
