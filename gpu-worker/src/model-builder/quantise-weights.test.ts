import assert from 'node:assert/strict'
import { test } from 'node:test'

import { quantiseColumns } from './quantise-weights.ts'
import { seededNormal } from '../testing/seeded-random.ts'

test('every weight is restored to within half a step of its column', () => {
  const normal = seededNormal(1)
  const [inputs, outputs] = [40, 7]
  const columnSize = (column: number) => 10 ** (column - 3)
  const data = Float32Array.from(
    { length: inputs * outputs },
    (_, i) => normal() * columnSize(i % outputs),
  )
  const { values, scales } = quantiseColumns({ inputs, outputs, data })
  for (const [i, weight] of data.entries()) {
    const scale = scales[i % outputs]!
    assert.ok(Math.abs(values[i]! * scale - weight) <= 0.5001 * scale)
  }
  for (let column = 0; column < outputs; column++) {
    const codes = [...values].filter((_, i) => i % outputs === column)
    assert.equal(Math.max(...codes.map(Math.abs)), 127, 'the column uses its whole range')
  }
})

test('a column of zeros stays zeros', () => {
  const data = Float32Array.of(0, 2, 0, -4)
  const { values, scales } = quantiseColumns({ inputs: 2, outputs: 2, data })
  assert.deepEqual([...values], [0, 64, 0, -127])
  assert.ok(scales.every((scale) => scale > 0))
})
