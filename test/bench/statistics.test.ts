import assert from 'node:assert/strict'
import { test } from 'node:test'
import { columnMedians, median, pairedRatio, quantile, unevenness } from './statistics.ts'

test('the median is the middle value, between two the mean of them', () => {
  assert.equal(median([3, 1, 2]), 2)
  assert.equal(median([4, 1, 3, 2]), 2.5)
  assert.ok(Number.isNaN(median([])))
})

test('a quantile lies between its neighbours', () => {
  assert.equal(quantile([10, 20, 30], 0), 10)
  assert.equal(quantile([10, 20, 30], 1), 30)
  assert.equal(quantile([10, 20], 0.9), 19)
})

test('a paired ratio is not moved by moments in which both were slow', () => {
  const ours = [1, 1, 100, 1, 50]
  const theirs = [2, 2, 200, 2, 100]
  assert.equal(pairedRatio(theirs, ours), 2)
})

test('what was not measured in pairs has no paired ratio', () => {
  assert.throws(() => pairedRatio([1, 2], [1]), /cannot pair/)
})

test('medians of columns leave out the slow run', () => {
  assert.deepEqual(columnMedians([[1, 10], [9, 11], [2, 90]]), [2, 11]) // prettier-ignore
})

test('an even stream has an unevenness of one, a stall shows in it', () => {
  assert.equal(unevenness([5, 5, 5]), 1)
  assert.equal(unevenness([5, 5, 5, 50]), 10)
})
