import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Sampling } from '@setblock/shared'
import { uniform } from './rng.ts'
import { draw, pick, transform } from './sampler.ts'

const sampling = (change: Partial<Sampling>): Sampling => ({
  temperature: 1,
  topP: 1,
  topK: 0,
  seed: 1,
  ...change,
})
const ids = Int32Array.of(10, 11, 12)
const logits = Float32Array.of(Math.log(0.5), Math.log(0.3), Math.log(0.2))
const close = (actual: number, expected: number): void =>
  assert.ok(Math.abs(actual - expected) < 1e-6, `${actual} is not ${expected}`)

test('temperature 1 keeps the softmax and its entropy', () => {
  const { probabilities, entropy } = transform(ids, logits, sampling({}))
  for (const [index, expected] of [0.5, 0.3, 0.2].entries()) close(probabilities[index]!, expected)
  close(entropy, -(0.5 * Math.log(0.5) + 0.3 * Math.log(0.3) + 0.2 * Math.log(0.2)))
})

test('temperature 0.5 squares the odds', () => {
  const { probabilities } = transform(ids, logits, sampling({ temperature: 0.5 }))
  close(probabilities[0]!, 0.25 / 0.38)
  close(probabilities[2]!, 0.04 / 0.38)
})

test('top-p keeps the smallest set that reaches it, top-k a fixed number', () => {
  assert.deepEqual(transform(ids, logits, sampling({ topP: 0.5 })).ids, [10])
  assert.deepEqual(transform(ids, logits, sampling({ topP: 0.51 })).ids, [10, 11])
  assert.deepEqual(transform(ids, logits, sampling({ topK: 2 })).ids, [10, 11])
  close(transform(ids, logits, sampling({ topK: 2 })).probabilities[1]!, 0.375)
})

test('draw inverts the cumulative distribution', () => {
  const distribution = transform(ids, logits, sampling({}))
  const drawn = [0, 0.49, 0.51, 0.79, 0.81, 0.999999].map((u) => draw(distribution, u))
  assert.deepEqual(drawn, [10, 10, 11, 11, 12, 12])
})

test('draws follow the distribution over positions', () => {
  const counts = new Map<number, number>()
  const results = {
    ids: Int32Array.of(0),
    topIds: padded(ids, -1),
    topLogits: padded(logits, -1e9),
  }
  for (let position = 0; position < 20_000; position += 1) {
    const { tokenId } = pick(results, 0, position, sampling({ seed: 42 }))
    counts.set(tokenId, (counts.get(tokenId) ?? 0) + 1)
  }
  for (const [id, share] of [
    [10, 0.5],
    [11, 0.3],
    [12, 0.2],
  ] as const) {
    assert.ok(Math.abs((counts.get(id) ?? 0) / 20_000 - share) < 0.015)
  }
})

test('greedy takes the argmax and the raw entropy, and needs no top logits', () => {
  const results = {
    ids: Int32Array.of(7, 9),
    entropies: Float32Array.of(0.5, 0.25),
    logprobs: Float32Array.of(-0.5, -0.125),
  }
  const picked = pick(results, 1, 0, sampling({ temperature: 0 }))
  assert.deepEqual(picked, { tokenId: 9, entropy: 0.25, surprise: 0.125 })
  assert.throws(() => pick(results, 1, 0, sampling({})), /top logits/)
})

test('uniform depends on seed and position only, and is spread evenly', () => {
  assert.equal(uniform(5, 100), uniform(5, 100))
  assert.notEqual(uniform(5, 100), uniform(6, 100))
  assert.notEqual(uniform(5, 100), uniform(5, 101))
  const buckets = Array.from({ length: 10 }, () => 0)
  for (let position = 0; position < 10_000; position += 1) {
    const u = uniform(123, position)
    assert.ok(u >= 0 && u < 1)
    buckets[Math.floor(u * 10)]! += 1
  }
  for (const count of buckets) assert.ok(Math.abs(count - 1000) < 120, String(buckets))
})

/** A row of 64 candidates that starts with `values`. */
function padded<T extends Int32Array | Float32Array>(values: T, filler: number): T {
  const row = values instanceof Int32Array ? new Int32Array(64) : new Float32Array(64)
  row.fill(filler)
  row.set(values)
  return row as T
}
