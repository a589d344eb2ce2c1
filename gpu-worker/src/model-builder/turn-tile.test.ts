import assert from 'node:assert/strict'
import { test } from 'node:test'

import { turnTile } from './turn-tile.ts'

const shapes = [
  { rows: 8, stride: 12, inputs: 12, outputs: 16, firstOutput: 4 },
  { rows: 64, stride: 196, inputs: 132, outputs: 64, firstOutput: 0 },
  { rows: 7, stride: 12, inputs: 12, outputs: 16, firstOutput: 4 },
  { rows: 8, stride: 11, inputs: 9, outputs: 15, firstOutput: 3 },
]

for (const Values of [Int8Array, Uint16Array, Float32Array]) {
  test(`rows become columns: ${Values.name}, sizes that are multiples of four and others`, () => {
    for (const shape of shapes) {
      const { rows, stride, inputs, outputs, firstOutput } = shape
      const tile = new Values(rows * stride).map((_, i) => (i * 89) % 256)
      const target = new Values(inputs * outputs)
      turnTile({ ...shape, tile, target })
      const expected = new Values(inputs * outputs)
      for (let row = 0; row < rows; row++) {
        for (let i = 0; i < inputs; i++) {
          expected[i * outputs + firstOutput + row] = tile[row * stride + i]!
        }
      }
      assert.deepEqual(target, expected)
    }
  })
}
