import assert from 'node:assert/strict'
import { test } from 'node:test'

import { wideFromRows } from './threaded-graph.ts'

test('several threads run from the row count on at which they save a tenth', () => {
  const times = (narrow: number[], wide: number[]) =>
    [4, 16, 64].map((rows, i) => ({ rows, narrowMs: narrow[i]!, wideMs: wide[i]! }))
  assert.equal(wideFromRows(times([0.5, 1.2, 3.6], [0.6, 1.0, 2.4])), 16)
  assert.equal(wideFromRows(times([0.5, 1.2, 3.6], [0.3, 0.8, 2.4])), 4)
  assert.equal(wideFromRows(times([0.5, 1.2, 3.6], [0.5, 1.15, 2.4])), 64)
  assert.equal(wideFromRows(times([0.5, 1.2, 3.6], [0.3, 0.8, 4.4])), Infinity)
  assert.equal(wideFromRows([]), Infinity)
})
