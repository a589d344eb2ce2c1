import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MIX, planArrivals } from './workload.ts'

const prompts = ['one', 'two', 'three']
const plan = (seed: number, rate = 50, seconds = 200) =>
  planArrivals({ rate, seconds, seed, prompts, mix: MIX })

test('a seed gives the same requests at the same moments, another one others', () => {
  assert.deepEqual(plan(1), plan(1))
  assert.notDeepEqual(plan(1), plan(2))
})

test('arrivals are a Poisson process of the rate asked for', () => {
  const arrivals = plan(7)
  // 10,000 expected with a deviation of 100.
  assert.ok(Math.abs(arrivals.length - 10_000) < 400, `${arrivals.length}`)
  const gaps = arrivals.map(({ atMs }, index) => atMs - (arrivals[index - 1]?.atMs ?? 0))
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length
  // Of exponential gaps mean and deviation are equal.
  assert.ok(Math.abs(Math.sqrt(variance) / mean - 1) < 0.05)
  assert.ok(gaps.every((gap) => gap >= 0))
})

test('settings and readers come in the shares of the mix', () => {
  const arrivals = plan(3)
  const share = (is: (arrival: (typeof arrivals)[number]) => boolean): number =>
    arrivals.filter(is).length / arrivals.length
  const close = (actual: number, expected: number): void =>
    assert.ok(Math.abs(actual - expected) < 0.02, `${actual} for ${expected}`)
  const weights = MIX.groups.reduce((sum, { weight }) => sum + weight, 0)
  for (const { name, weight } of MIX.groups) {
    close(
      share(({ group }) => group === name),
      weight / weights,
    )
  }
  close(
    share(({ reader }) => reader === 'slow'),
    MIX.slow,
  )
  close(
    share(({ reader }) => reader === 'leaves'),
    MIX.leaves,
  )
  close(
    share(({ twoTurns }) => twoTurns),
    MIX.twoTurns,
  )
})
