import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ApiError, InvariantError } from '@setblock/shared'

import { KvPool, sequencesWithin } from './kv-pool.ts'
import { seededRandom } from '../testing/seeded-random.ts'

const options = {
  sequencesMax: 2,
  planes: 4,
  rowLength: 6,
  contextLength: 20,
  planePositions: 32,
}
const newRowLength = options.planes * options.rowLength

test('appended rows follow each other in every plane, zeros behind them', () => {
  const pool = new KvPool(options)
  const random = seededRandom(1)
  const sequence = pool.open()
  const rows: Float32Array[] = []
  for (const count of [5, 0, 1, 14]) {
    const source = Float32Array.from({ length: (count + 3) * newRowLength }, random)
    pool.append(sequence, source, count)
    for (let row = 0; row < count; row++) {
      rows.push(source.slice(row * newRowLength, (row + 1) * newRowLength))
    }
    assert.equal(pool.cachedLength(sequence), rows.length)
    for (const [index, plane] of pool.planes(sequence, options.planePositions).entries()) {
      const part = (row: Float32Array) =>
        Array.from(row.subarray(index * options.rowLength, (index + 1) * options.rowLength))
      const zeros = (options.planePositions - rows.length) * options.rowLength
      assert.deepEqual([...plane], [...rows.flatMap(part), ...new Float32Array(zeros)])
    }
  }
  assert.throws(() => pool.append(sequence, new Float32Array(newRowLength), 1), InvariantError)
  assert.throws(() => pool.planes(sequence, options.planePositions + 1), InvariantError)
})

test('a source that is too short is refused, and nothing is cached', () => {
  const pool = new KvPool(options)
  const sequence = pool.open()
  const source = new Float32Array(2 * newRowLength - 1)
  assert.throws(() => pool.append(sequence, source, 2), InvariantError)
  assert.equal(pool.cachedLength(sequence), 0)
})

test('slots are handed out once, and come back empty and wiped', () => {
  const pool = new KvPool(options)
  const [first, second] = [pool.open(), pool.open()]
  pool.checkIntegrity()
  assert.throws(
    () => pool.open(),
    (error) => error instanceof ApiError && error.code === 'overloaded',
  )
  pool.append(first, new Float32Array(20 * newRowLength).fill(1), 20)
  assert.equal(pool.cachedLength(second), 0)
  pool.close(first)
  pool.close(first)
  pool.checkIntegrity()

  const third = pool.open()
  assert.notEqual(third, first)
  const planes = pool.planes(third, options.planePositions)
  for (const plane of planes) assert.ok(plane.every((value) => value === 0))
  assert.throws(() => pool.cachedLength(first), InvariantError)
  pool.checkIntegrity()
})

test('rows that are read can be appended to another sequence, and are the same there', () => {
  const pool = new KvPool(options)
  const [from, to] = [pool.open(), pool.open()]
  const source = Float32Array.from({ length: 10 * newRowLength }, seededRandom(2))
  pool.append(from, source, 10)
  pool.append(to, pool.read(from, 0, 4), 4)
  pool.append(to, pool.read(from, 4, 6), 6)
  assert.deepEqual(pool.read(from, 0, 10), source)
  assert.deepEqual(pool.planes(to, 32), pool.planes(from, 32))
  assert.throws(() => pool.read(from, 8, 3), InvariantError)
})

test('as many sequences as the budget holds, twice over where they share batches', () => {
  const slotBytes = 4 * 32 * 6 * 4
  const within = (bytes: number) => sequencesWithin({ ...options, sequencesMax: 3 }, bytes)
  assert.equal(within(slotBytes - 1), 0)
  assert.equal(within(slotBytes), 1)
  assert.equal(within(4 * slotBytes - 1), 1)
  assert.equal(within(4 * slotBytes), 2)
  assert.equal(within(100 * slotBytes), 3)
})
