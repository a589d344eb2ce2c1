import assert from 'node:assert/strict'
import { test } from 'node:test'

import { headerLength, LENGTH_BYTES, parseHeader } from './safetensors.ts'
import { ModelError } from '../engine/model-error.ts'
import { assembleSafetensors } from '../testing/safetensors-writer.ts'

const parse = (bytes: Uint8Array) => {
  const facts = { file: 'model.safetensors', bytes: bytes.length }
  const length = headerLength(bytes.subarray(0, LENGTH_BYTES), facts)
  return parseHeader(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length), facts)
}

const refuses = (bytes: Uint8Array, about: RegExp) =>
  assert.throws(
    () => parse(bytes),
    (error) => {
      assert.ok(error instanceof ModelError)
      assert.match(error.message, about)
      return true
    },
  )

const entry = (dtype: string, shape: number[], data_offsets: [number, number]) => {
  return { dtype, shape, data_offsets }
}

test('tells where each tensor lies in the file', () => {
  const header = {
    __metadata__: { format: 'pt' },
    b: entry('BF16', [3], [0, 6]),
    h: entry('F16', [2, 1], [6, 10]),
    odd: entry('I64', [1], [10, 18]),
  }
  const bytes = assembleSafetensors(header, 18)
  const start = bytes.length - 18
  assert.deepEqual(
    [...parse(bytes).values()],
    [
      { name: 'b', dtype: 'BF16', shape: [3], begin: start, end: start + 6 },
      { name: 'h', dtype: 'F16', shape: [2, 1], begin: start + 6, end: start + 10 },
      { name: 'odd', dtype: 'I64', shape: [1], begin: start + 10, end: start + 18 },
    ],
  )
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
    /^w: data_offsets \[0, 8\] leave the 4 data bytes of model\.safetensors: is the file cut short/,
  )
  refuses(
    assembleSafetensors({ w: entry('F32', [3], [0, 8]) }, 8),
    /^w: shape \[3\] of F32 needs 12 bytes, data_offsets span 8/,
  )
  refuses(assembleSafetensors({ w: entry('F32', [-1], [0, 4]) }, 4), /^w: header entry lacks/)
  const overlapping = { w: entry('F32', [2], [0, 8]), v: entry('F32', [1], [4, 8]) }
  refuses(assembleSafetensors(overlapping, 8), /^v: data overlaps/)
})
