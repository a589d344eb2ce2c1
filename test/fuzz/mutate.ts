import type { Random } from '../faults/random.ts'

/** What has broken parsers before. */
const DICTIONARY = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  '\0',
  '\uFEFF',
  '\u2028',
  '\r\n\r\n',
  '\n',
  'data: ',
  'id: ',
  '"',
  '\\u0000',
  '\\ud800',
  '{"__proto__":{"polluted":1}}',
  '[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[',
  '{"a":{"a":{"a":{"a":{"a":{"a":',
  ']',
  '}',
  ',',
  '-0',
  '1e999',
  '9007199254740993',
  '0.1e-400',
  'null',
  'true',
  '../../etc/passwd',
  '%2e%2e%2f',
  '$ref',
  '#/$defs/a',
  '<|end|>',
].map((text) => Buffer.from(text))

const EDITS_MAX = 6
const REPEATS_MAX = 64
const BYTES_MAX = 8192
const EXTREMES = [0, 1, 0x7f, 0x80, 0xc0, 0xed, 0xf8, 0xfe, 0xff]

/** A few bytes changed, removed, repeated, put in, or taken from another example. */
export function mutate(example: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  let bytes: Buffer = Buffer.from(example)
  for (let edits = random.below(EDITS_MAX + 1); edits > 0; edits -= 1) {
    bytes = edit(bytes, other, random)
  }
  return new Uint8Array(bytes.subarray(0, BYTES_MAX))
}

function edit(bytes: Buffer, other: Uint8Array, random: Random): Buffer {
  const [at, length] = [random.below(bytes.length + 1), random.below(16) + 1]
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)]
  const kind = random.pick(['flip', 'extreme', 'cut', 'insert', 'repeat', 'splice', 'end'] as const)
  switch (kind) {
    case 'flip': {
      const copy = Buffer.from(bytes)
      if (at < copy.length) copy[at]! ^= 1 << random.below(8)
      return copy
    }
    case 'extreme':
      return Buffer.concat([before, Buffer.from([random.pick(EXTREMES)]), after.subarray(1)])
    case 'cut':
      return Buffer.concat([before, after.subarray(length)])
    case 'insert':
      return Buffer.concat([before, random.pick(DICTIONARY), after])
    case 'repeat': {
      const part = after.subarray(0, length)
      const times = random.below(REPEATS_MAX)
      return Buffer.concat([before, ...Array.from({ length: times }, () => part), after])
    }
    case 'splice': {
      const start = random.below(other.length + 1)
      return Buffer.concat([before, other.subarray(start)])
    }
    case 'end':
      return Buffer.from(before)
  }
}
