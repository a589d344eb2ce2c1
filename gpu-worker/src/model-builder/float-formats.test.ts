import assert from 'node:assert/strict'
import { test } from 'node:test'

import { DTYPES, dtypeBytes, halfToNumber, narrow, toHalves, widen } from './float-formats.ts'

const bytesOf = (view: ArrayBufferView) =>
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

test('half floats: subnormal, largest, infinite, not a number', () => {
  assert.equal(halfToNumber(0x0001), 2 ** -24)
  assert.equal(halfToNumber(0x83ff), -1023 * 2 ** -24)
  assert.equal(halfToNumber(0x7bff), 65_504)
  assert.equal(halfToNumber(0xfc00), -Infinity)
  assert.ok(Number.isNaN(halfToNumber(0x7e00)))
})

test('widens every format exactly, from any aligned place', () => {
  const target = new Float32Array(3)
  widen(bytesOf(Float32Array.of(9, 1, -2, 3e-5)).subarray(4), 'F32', target)
  assert.deepEqual(target, Float32Array.of(1, -2, 3e-5))
  widen(bytesOf(Uint16Array.of(0x3f80, 0xc049, 0x0000)), 'BF16', target)
  assert.deepEqual([...target], [1, -3.140625, 0])
  widen(bytesOf(Uint16Array.of(0, 0x3c00, 0xc248, 0x0001)).subarray(2), 'F16', target)
  assert.deepEqual([...target], [1, -3.140625, 2 ** -24])
})

test('widening tells the largest magnitude, wherever it stands, and that a value is not finite', () => {
  const target = new Float32Array(5)
  for (const dtype of DTYPES) {
    for (let place = 0; place < target.length; place++) {
      const values = Float32Array.of(1, -2, 0, 0.5, -1)
      values[place] = -3.5
      assert.equal(widen(narrow(values, dtype), dtype, target), 3.5)
      assert.deepEqual(target, values)
      for (const wrong of [Infinity, -Infinity, NaN]) {
        values[place] = wrong
        const raw = narrow(values, dtype)
        assert.ok(!Number.isFinite(widen(raw, dtype, target)), `${dtype} ${wrong} at ${place}`)
      }
    }
  }
})

test('every half float survives the way to float32 and back', () => {
  const halves = Uint16Array.from({ length: 2 ** 16 }, (_, half) => half).filter(
    (half) => (half & 0x7c00) !== 0x7c00,
  )
  const floats = new Float32Array(halves.length)
  widen(bytesOf(halves), 'F16', floats)
  const back = new Uint16Array(halves.length)
  toHalves(floats, back)
  assert.deepEqual(back, halves)
})

test('float32 is rounded to the nearest half float, ties to even, too large to infinity', () => {
  const cases: [number, number][] = [
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [1 + 2 ** -11 + 2 ** -20, 0x3c01],
    [2 ** -25, 0x0000],
    [3 * 2 ** -25, 0x0002],
    [2 ** -14 - 2 ** -25, 0x0400],
    [65_519, 0x7bff],
    [65_520, 0x7c00],
    [-1e9, 0xfc00],
  ]
  const target = new Uint16Array(cases.length + 1)
  toHalves(
    Float32Array.from(cases, ([value]) => value),
    target,
    1,
  )
  assert.deepEqual([...target], [0, ...cases.map(([, half]) => half)])
})

test('narrowing gives the nearest value of the format, and keeps what fits', () => {
  const values = Float32Array.of(1, -3.140625, 0, 2 ** -14, 1.5)
  for (const dtype of DTYPES) {
    const back = new Float32Array(values.length)
    const raw = narrow(values, dtype)
    assert.equal(raw.length, values.length * dtypeBytes(dtype))
    widen(raw, dtype, back)
    assert.deepEqual(back, values, dtype)
  }
  const between = Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20)
  const back = new Float32Array(3)
  widen(narrow(between, 'BF16'), 'BF16', back)
  assert.deepEqual([...back], [1, 1 + 2 ** -6, 1 + 2 ** -7])
})
