import assert from 'node:assert/strict'
import { test } from 'node:test'

import {
  fillAttentionBias,
  fillRows,
  forwardShape,
  rowCount,
  selectRows,
} from './attention-mask.ts'
import type { ForwardShape, SequenceInput } from './attention-mask.ts'
import { HIDDEN_BIAS, KEY_MULTIPLE } from './graph-contract.ts'
import type { ForwardRows } from '../decoding/rows.ts'

const rowsOf = (rows: Partial<ForwardRows>): ForwardRows => {
  return { tail: [], groups: [], readTail: 0, entropies: 'none', top: 'none', ...rows }
}

/**
 * Verified decoding's A and B beside a lone block and a bare tail; the shape pads rows and cache.
 */
const batch: SequenceInput[] = [
  {
    cachedLength: 3,
    rows: rowsOf({
      tail: [10, 11, 12],
      groups: [
        { tokens: [20, 21], afterTail: 1 },
        { tokens: [30, 31, 32], afterTail: 3 },
      ],
      readTail: 2,
      entropies: 'all',
      top: 'tail',
    }),
  },
  { cachedLength: 0, rows: rowsOf({ groups: [{ tokens: [40, 41], afterTail: 0 }], top: 'all' }) },
  { cachedLength: 5, rows: rowsOf({ tail: [50], readTail: 1, top: 'all' }) },
]
const shape: ForwardShape = {
  sequences: 3,
  packedRows: 11,
  rows: 9,
  headsPerGroup: 1,
  keys: 15,
}

test('rows lie packed, positions spread; both follow the cache, groups the tail rows they see', () => {
  const [ids, packed] = [new Int32Array(11).fill(-1), new Int32Array(11).fill(-1)]
  const spread = new Int32Array(27).fill(-1)
  const positions = new BigInt64Array(27).fill(-1n)
  fillRows({ ids, packed, spread, positions }, shape, batch)
  assert.deepEqual([...ids], [10, 11, 12, 20, 21, 30, 31, 32, 40, 41, 50])
  assert.deepEqual([...packed], [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 18])
  assert.deepEqual(
    [...spread],
    [
      [0, 1, 2, 3, 4, 5, 6, 7, 0],
      [8, 9, 0, 0, 0, 0, 0, 0, 0],
      [10, 0, 0, 0, 0, 0, 0, 0, 0],
    ].flat(),
  )
  assert.deepEqual(
    [...positions].map(Number),
    [
      [3, 4, 5, 4, 5, 6, 7, 8, 0],
      [0, 1, 0, 0, 0, 0, 0, 0, 0],
      [5, 0, 0, 0, 0, 0, 0, 0, 0],
    ].flat(),
  )
})

test('the bias is the visibility table, drawn by hand', () => {
  const drawn = [
    // cache 3, tail 3, A 2, B 3, padding
    '111 100 00 000 0000', // tail
    '111 110 00 000 0000',
    '111 111 00 000 0000',
    '111 100 11 000 0000', // A, after one tail row
    '111 100 11 000 0000',
    '111 111 00 111 0000', // B, after the whole tail
    '111 111 00 111 0000',
    '111 111 00 111 0000',
    '000 000 00 000 1000', // padding
    '110 000 00 000 0000', // a lone block without cache
    '110 000 00 000 0000',
  ]
  const expected = drawn.map((row) => row.replaceAll(' ', ''))
  assert.deepEqual(drawnBias().slice(0, drawn.length), expected)
})

test('the bias agrees with the rule asked row by row and key by key', () => {
  type Place = { kind: 'tail' | 'group' | 'padding'; index: number; group: number }
  const places = (rows: ForwardRows): Place[] => {
    const list: Place[] = rows.tail.map((_, index) => ({ kind: 'tail', index, group: -1 }))
    for (const [group, { tokens }] of rows.groups.entries()) {
      for (const index of tokens.keys()) list.push({ kind: 'group', index, group })
    }
    while (list.length < shape.rows) {
      list.push({ kind: 'padding', index: list.length, group: -1 })
    }
    return list
  }
  const expected = batch.flatMap(({ rows, cachedLength }) => {
    const all = places(rows)
    return all.map((query) => {
      const keys = Array.from({ length: shape.keys }, (_, position) => {
        if (position < cachedLength) return query.kind !== 'padding'
        const key = all[position - cachedLength]
        if (key === undefined) return false
        if (query.kind === 'padding') return key.kind === 'padding' && key.index === query.index
        if (query.kind === 'tail') return key.kind === 'tail' && key.index <= query.index
        if (key.kind === 'tail') return key.index < rows.groups[query.group]!.afterTail
        return key.kind === 'group' && key.group === query.group
      })
      return keys.map((visible) => (visible ? '1' : '0')).join('')
    })
  })
  assert.deepEqual(drawnBias(), expected)
})

test('heads that share keys see what their row sees', () => {
  const [once, repeated] = [drawnBias(), drawnBias(3)]
  assert.deepEqual(
    repeated,
    once.flatMap((row) => [row, row, row]),
  )
})

test('the shape pads rows to the longest sequence and keys to whole multiples', () => {
  const padded = { sequences: 3, packedRows: 11, rows: 8, keys: KEY_MULTIPLE }
  assert.deepEqual(forwardShape(batch, 2), { ...padded, headsPerGroup: 2 })
  const lone = { cachedLength: KEY_MULTIPLE - 1, rows: rowsOf({ tail: [1] }) }
  const alone = { sequences: 1, packedRows: 1 }
  const grouped = { ...alone, rows: 1, headsPerGroup: 2, keys: KEY_MULTIPLE }
  assert.deepEqual(forwardShape([lone], 2), grouped)
  const single = { ...alone, rows: 2, headsPerGroup: 1, keys: 2 * KEY_MULTIPLE }
  assert.deepEqual(forwardShape([lone], 1), single)
})

test('selectors name the read rows, and those of them that want more', () => {
  assert.deepEqual(
    batch.map(({ rows }) => rowCount(rows)),
    [8, 2, 1],
  )
  assert.deepEqual(selectRows(batch), {
    logitRows: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    entropyRows: [0, 1, 2, 3, 4, 5, 6],
    topRows: [0, 1, 7, 8, 9],
  })
})

function drawnBias(headsPerGroup = 1): string[] {
  const { keys } = shape
  const count = shape.sequences * shape.rows * headsPerGroup
  const bias = new Float32Array(count * keys).fill(NaN)
  fillAttentionBias(bias, { ...shape, headsPerGroup }, batch)
  return Array.from({ length: count }, (_, row) =>
    Array.from(bias.subarray(row * keys, (row + 1) * keys), (value) => {
      assert.ok(value === 0 || value === HIDDEN_BIAS)
      return value === 0 ? '1' : '0'
    }).join(''),
  )
}
