import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shareMemory, type MemoryNeed } from './memory-plan.ts'

const MIB = 1024 ** 2

const need = (id: string, weights: number, sequence: number, sequences: number): MemoryNeed => ({
  id,
  weightBytes: weights * MIB,
  sequenceBytes: sequence * MIB,
  cacheBytes: sequence * sequences * MIB,
})
const share = (needs: MemoryNeed[], memory: number, caches = 1_000_000): number[] =>
  shareMemory(needs, { bytesMax: memory * MIB, cacheBytesMax: caches * MIB }).map(
    (bytes) => bytes / MIB,
  )

test('with room for everything each model gets what it asks for', () => {
  assert.deepEqual(share([need('a', 10, 1, 8), need('b', 100, 10, 8)], 198), [8, 80])
})

test('with less, each gets the same share of it, by either bound', () => {
  const needs = [need('a', 10, 1, 8), need('b', 100, 10, 8)]
  assert.deepEqual(share(needs, 110 + 44), [4, 40])
  assert.deepEqual(share(needs, 198, 44), [4, 40])
})

test('each gets one sequence at least', () => {
  assert.deepEqual(share([need('a', 0, 10, 8), need('b', 0, 10, 2)], 20), [10, 10])
  assert.deepEqual(share([need('a', 0, 10, 8), need('b', 0, 10, 2)], 36), [24, 12])
  assert.deepEqual(share([need('a', 0, 10, 1)], 1000), [10])
})

test('what does not fit is refused in one line that names it', () => {
  const line =
    'memory: a needs 10 MiB of weights and 1 MiB for one sequence, ' +
    'b needs 100 MiB of weights and 10 MiB for one sequence: ' +
    'that does not fit into 120 MiB (SETBLOCK_MEMORY_MB), of which caches may take 1000000 MiB ' +
    '(SETBLOCK_KV_BYTES_MAX)'
  const needs = [need('a', 10, 1, 8), need('b', 100, 10, 8)]
  assert.throws(() => share(needs, 120), { name: 'ModelError', message: line })
  assert.throws(() => share(needs, 1000, 10), /of which caches may take 10 MiB/)
})

test('a model that is larger than the memory is refused too', () => {
  assert.throws(() => share([need('huge', 2000, 1, 1)], 1000), /huge needs 2000 MiB of weights/)
})
