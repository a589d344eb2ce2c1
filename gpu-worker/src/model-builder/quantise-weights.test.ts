import assert from 'node:assert/strict'
import { test } from 'node:test'

import { quantiseRow, quantiseRowQ4 } from './quantise-weights.ts'
import { seededNormal } from '../testing/seeded-random.ts'

const largestOf = (values: Float32Array) => Math.max(...values.map(Math.abs))

test('int8: every weight is restored to within half a step of its row', () => {
  const normal = seededNormal(1)
  const codes = new Int8Array(50)
  for (const magnitude of [1e-30, 1e-3, 1, 1e20]) {
    const values = Float32Array.from({ length: 40 }, () => normal() * magnitude)
    const scale = quantiseRow(values, largestOf(values), codes, 10)
    for (const [i, value] of values.entries()) {
      assert.ok(Math.abs(codes[10 + i]! * scale - value) <= 0.5001 * scale)
    }
    assert.equal(Math.max(...codes.map(Math.abs)), 127, 'the row uses its whole range')
  }
  assert.ok(codes.subarray(0, 10).every((code) => code === 0))
})

test('int8: codes are rounded as Math.round does, halves included', () => {
  const normal = seededNormal(4)
  for (const largest of [1, 127, 254 / 3, 3.7e-9, 65_504].map(Math.fround)) {
    const scale = Math.fround(largest / 127)
    const halves = Array.from({ length: 253 }, (_, i) => Math.fround((i - 126.5) * scale))
    const values = Float32Array.from([
      ...halves,
      ...halves.map((half) => half * (1 + 2 ** -23)),
      ...Array.from({ length: 4000 }, () => Math.max(-1, Math.min(1, normal() / 3)) * largest),
      -largest,
      largest,
    ])
    const codes = new Int8Array(values.length)
    assert.equal(quantiseRow(values, largest, codes, 0), scale)
    for (const [i, value] of values.entries()) {
      assert.equal(codes[i], Math.round(value / scale) + 0, `${value} / ${scale}`)
    }
  }
})

test('int8: a row of zeros, or of next to nothing, becomes zeros with a positive scale', () => {
  for (const magnitude of [0, 2 ** -149, 2 ** -120]) {
    const values = Float32Array.of(0, -magnitude, magnitude)
    const codes = Int8Array.of(1, 1, 1)
    assert.ok(quantiseRow(values, magnitude, codes, 0) > 0)
    assert.deepEqual([...codes], [0, 0, 0])
  }
})

/** As the operator reads it: the lower half of a byte first, 8 stands for zero. */
const restored = (codes: Uint8Array, scales: Float32Array) =>
  [...codes]
    .flatMap((byte) => [byte & 15, byte >> 4])
    .map((code, i) => (code - 8) * scales[Math.floor(i / 32)]!)

test('4 bits: the largest of a block is exact, the rest to within half a step, or one at the far end', () => {
  const normal = seededNormal(2)
  const values = Float32Array.from({ length: 96 }, (_, i) => normal() * 10 ** Math.floor(i / 32))
  const codes = new Uint8Array(48)
  const scales = new Float32Array(3)
  quantiseRowQ4(values, Math.fround, codes, scales)
  const back = restored(codes, scales)
  for (let block = 0; block < 3; block++) {
    const inside = values.subarray(block * 32, block * 32 + 32)
    const step = Math.abs(scales[block]!)
    const far = -8 * scales[block]! // the value of code 0; +8 steps have no code
    for (const [i, value] of inside.entries()) {
      const error = Math.abs(back[block * 32 + i]! - value)
      const opposite = Math.sign(value) !== Math.sign(far)
      assert.ok(error <= (opposite && Math.abs(value) > 7.5 * step ? 1 : 0.5001) * step)
    }
    const extreme = inside.findIndex((value) => Math.abs(value) === largestOf(inside))
    assert.ok(Math.abs(back[block * 32 + extreme]! / inside[extreme]! - 1) < 1e-6)
  }
})

test('4 bits: the codes fit the scale as it is stored, and a block of zeros stays zeros', () => {
  const values = new Float32Array(64)
  values.set([1, -0.5, 0.25], 32)
  const codes = new Uint8Array(32)
  const scales = new Float32Array(2)
  quantiseRowQ4(values, () => -0.25, codes, scales)
  assert.deepEqual([...scales], [-0.25, -0.25])
  assert.deepEqual(restored(codes, scales).slice(32, 36), [1, -0.5, 0.25, -0])
  quantiseRowQ4(values, Math.fround, codes, scales)
  assert.ok(
    restored(codes, scales)
      .slice(0, 32)
      .every((value) => value === 0),
  )
})
