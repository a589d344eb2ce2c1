import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { SequenceInput } from './attention-mask.ts'
import { planRuns } from './plan-runs.ts'

const sequence = (rows: number, cachedLength = 0): SequenceInput => ({
  cachedLength,
  rows: {
    tail: Array.from({ length: rows }, () => 5),
    groups: [],
    readTail: 0,
    entropies: 'none',
    top: 'none',
  },
})
const cost = { fixed: 1000, row: 10, rowKey: 0.1 }

test('sequences of equal or nearly equal width share a run', () => {
  assert.deepEqual(planRuns([sequence(4), sequence(4), sequence(4)], cost), [[0, 1, 2]])
  assert.deepEqual(planRuns([sequence(4), sequence(6), sequence(3)], cost), [[0, 1, 2]])
})

test('a prompt chunk leaves the short rows to a run of their own, in the order of the batch', () => {
  const batch = [sequence(8, 300), sequence(256), sequence(1, 400), sequence(8, 30)]
  assert.deepEqual(planRuns(batch, cost), [[0, 2, 3], [1]])
})

test('padding is borne where a second run costs more', () => {
  const batch = [sequence(1, 400), sequence(256)]
  // Apart, 256 * 256 + 1 * 401 pairs of row and key are scored, not 2 * 256 * 656.
  const saved = cost.rowKey * (2 * 256 * 656 - 256 * 256 - 401)
  assert.equal(planRuns(batch, { ...cost, fixed: saved + 1 }).length, 1)
  assert.equal(planRuns(batch, { ...cost, fixed: saved - 1 }).length, 2)
})

test('every sequence is in exactly one run', () => {
  const batch = [3, 200, 1, 64, 17, 200, 2].map((rows) => sequence(rows, rows * 3))
  for (const fixed of [0, 10, 1000, 1e6]) {
    const runs = planRuns(batch, { ...cost, fixed })
    assert.deepEqual(
      runs.flat().toSorted((a, b) => a - b),
      [...batch.keys()],
    )
  }
})
