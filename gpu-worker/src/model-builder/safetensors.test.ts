import assert from 'node:assert/strict'
import { test } from 'node:test'

import { halfToNumber, parseSafetensors } from './safetensors.ts'
import { ModelError } from '../engine/model-error.ts'
import { assembleSafetensors, writeSafetensors } from '../testing/safetensors-writer.ts'

const refuses = (bytes: Uint8Array, about: RegExp, read?: string) =>
  assert.throws(
    () => {
      const file = parseSafetensors(bytes, 'model.safetensors')
      if (read !== undefined) file.read(read)
    },
    (error) => {
      assert.ok(error instanceof ModelError)
      assert.match(error.message, about)
      return true
    },
  )

const entry = (dtype: string, shape: number[], data_offsets: [number, number]) => {
  return { dtype, shape, data_offsets }
}

test('reads float32 tensors at any alignment', () => {
  const a = { shape: [2, 2], data: Float32Array.of(1, -2, 0.5, 3e-5) }
  const b = { shape: [3], data: Float32Array.of(7, 8, 9) }
  const bytes = writeSafetensors(
    new Map([
      ['a', a],
      ['b', b],
    ]),
  )
  const shifted = new Uint8Array(bytes.length + 1)
  shifted.set(bytes, 1)
  const file = parseSafetensors(shifted.subarray(1), 'x')
  assert.deepEqual(file.names, ['a', 'b'])
  assert.deepEqual(file.read('a'), { name: 'a', ...a })
  assert.deepEqual(file.read('b').data, b.data)
  assert.ok(file.has('b') && !file.has('c'))
})

test('does not copy from the wrong place when given a Node Buffer', () => {
  const tensor = { shape: [1], data: Float32Array.of(42) }
  const bytes = Buffer.from(writeSafetensors(new Map([['only', tensor]])))
  assert.deepEqual(parseSafetensors(bytes, 'x').read('only').data, tensor.data)
})

test('widens BF16 and F16 exactly', () => {
  const header = {
    __metadata__: { format: 'pt' },
    b: entry('BF16', [3], [0, 6]),
    h: entry('F16', [2], [6, 10]),
  }
  const bytes = assembleSafetensors(header, 10)
  const view = new DataView(bytes.buffer, bytes.length - 10)
  for (const [i, half] of [0x3f80, 0xc049, 0x0000].entries()) view.setUint16(2 * i, half, true)
  for (const [i, half] of [0x3c00, 0xc248].entries()) view.setUint16(6 + 2 * i, half, true)
  const file = parseSafetensors(bytes, 'x')
  assert.deepEqual([...file.read('b').data], [1, -3.140625, 0])
  assert.deepEqual([...file.read('h').data], [1, -3.140625])
  assert.deepEqual(file.names, ['b', 'h'])
})

test('half floats: subnormal, largest, infinite, not a number', () => {
  assert.equal(halfToNumber(0x0001), 2 ** -24)
  assert.equal(halfToNumber(0x83ff), -1023 * 2 ** -24)
  assert.equal(halfToNumber(0x7bff), 65_504)
  assert.equal(halfToNumber(0xfc00), -Infinity)
  assert.ok(Number.isNaN(halfToNumber(0x7e00)))
})

test('refuses a broken header', () => {
  refuses(new Uint8Array(7), /^model\.safetensors: is too short/)
  refuses(Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255), /header length \d+ is over/)
  refuses(assembleSafetensors([], 0), /header is not a JSON object/)
  const garbled = assembleSafetensors({ a: 1 }, 0)
  garbled[8] = 0x80
  refuses(garbled, /header is not valid JSON/)
})

test('refuses a wrong entry by the name of its tensor', () => {
  refuses(assembleSafetensors({ w: { dtype: 'F32' } }, 0), /^w: header entry lacks/)
  refuses(assembleSafetensors({ w: entry('F32', [1], [4, 0]) }, 4), /^w: data_offsets \[4, 0\]/)
  refuses(
    assembleSafetensors({ w: entry('F32', [2], [0, 8]) }, 4),
    /^w: data_offsets \[0, 8\] leave/,
  )
  refuses(
    assembleSafetensors({ w: entry('F32', [3], [0, 8]) }, 8),
    /^w: shape \[3\] of F32 needs 12 bytes, data_offsets span 8/,
  )
  refuses(assembleSafetensors({ w: entry('F32', [-1], [0, 4]) }, 4), /^w: header entry lacks/)
  const overlapping = { w: entry('F32', [2], [0, 8]), v: entry('F32', [1], [4, 8]) }
  refuses(assembleSafetensors(overlapping, 8), /^v: data overlaps/)
})

test('refuses to read what is absent or of another dtype, but not the rest of the file', () => {
  const header = { odd: entry('I64', [1], [0, 8]), fine: entry('F32', [1], [8, 12]) }
  const bytes = assembleSafetensors(header, 12)
  assert.deepEqual([...parseSafetensors(bytes, 'x').read('fine').data], [0])
  refuses(bytes, /^odd: dtype I64 is not supported/, 'odd')
  refuses(bytes, /^gone: tensor is missing from model\.safetensors/, 'gone')
})
