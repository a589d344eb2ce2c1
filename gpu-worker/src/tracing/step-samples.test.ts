import assert from 'node:assert/strict'
import { test } from 'node:test'
import { STEP_SAMPLES_MAX, StepSamples } from './step-samples.ts'

function keptOf(count: number): number[] {
  const samples = new StepSamples()
  for (let step = 0; step < count; step += 1) samples.add({ atMs: step, step, tokens: 1 })
  return samples.kept.map(({ step }) => step)
}

test('a short job keeps all of its steps', () => {
  for (const count of [0, 1, STEP_SAMPLES_MAX]) {
    assert.deepEqual(
      keptOf(count),
      Array.from({ length: count }, (_, step) => step),
    )
  }
})

test('a long job keeps a bounded number of them, the first among them, at even distances', () => {
  for (const count of [33, 64, 65, 1000, 32_768]) {
    const kept = keptOf(count)
    assert.ok(kept.length <= STEP_SAMPLES_MAX && kept.length >= STEP_SAMPLES_MAX / 2)
    assert.equal(kept[0], 0)
    const stride = kept[1]!
    assert.deepEqual(
      kept,
      kept.map((_, index) => index * stride),
    )
    assert.ok(kept.at(-1)! + stride >= count - stride)
  }
})
