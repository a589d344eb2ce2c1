import assert from 'node:assert/strict'
import { test } from 'node:test'

import { limits } from '@setblock/shared'

import { partWidth, topInFloats } from './float-operators.ts'
import type { GraphBuilder } from './graph-builder.ts'
import { OnnxGraph, tensor } from '../../engine/onnx-graph.ts'
import { seededRandom } from '../../testing/seeded-random.ts'
import { OnnxModel } from '../onnx-model.ts'

test('rows are cut evenly into parts of 2,048 columns at most, where they can be', () => {
  assert.equal(partWidth(97), 97)
  assert.equal(partWidth(4096), 2048)
  assert.equal(partWidth(128_256), 2004)
  assert.equal(partWidth(151_936), 1187)
  assert.equal(partWidth(4099), 4099, 'a prime')
})

// The provider does not matter to what the operators say, so the CPU can tell whether it is right.
for (const columns of [97, 4096, 32_000, 128_256]) {
  test(`the largest of ${columns} columns, the first of equals before the others`, async () => {
    const model = new OnnxModel()
    model.input('rows', 'float32', ['P', columns])
    const builder = { model, precision: 'fp32' } as GraphBuilder
    const ids = topInFloats(builder, 'rows', columns)
    model.output(ids, 'float32', ['P', limits.topKMax])
    model.output('top_values', 'float32', ['P', limits.topKMax])
    const graph = await OnnxGraph.load(model.serialize().toBytes(), { threads: 1, spinning: false })
    const random = seededRandom(columns)
    const rows = Float32Array.from({ length: 2 * columns }, () => Math.round(random() * 3000))
    const feeds = { rows: tensor(rows, [2, columns]) }
    const outputs = await graph.run(feeds, [ids, 'top_values'])
    await graph.dispose()
    for (const row of [0, 1]) {
      const values = rows.subarray(row * columns, (row + 1) * columns)
      const order = [...values.keys()].sort((a, b) => values[b]! - values[a]! || a - b)
      const best = order.slice(0, limits.topKMax)
      const part = (data: Float32Array) => [
        ...data.subarray(row * limits.topKMax, (row + 1) * limits.topKMax),
      ]
      assert.deepEqual(part(outputs[ids]!.data as Float32Array), best)
      assert.deepEqual(
        part(outputs['top_values']!.data as Float32Array),
        best.map((column) => values[column]),
      )
    }
  })
}
