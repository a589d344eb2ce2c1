import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { chooseReveals, type SetRule } from './reveal.ts'

/** Entropies by index; expectations below are worked out by hand from the formulas. */
const reveal = (
  rule: SetRule,
  gamma: number,
  entropies: number[],
  seedEntropy?: number,
): number[] =>
  chooseReveals({
    rule,
    gamma,
    candidates: entropies.map((entropy, index) => ({ index, entropy, surprise: 100 })),
    ...(seedEntropy !== undefined && { seedEntropy }),
  }).indices as number[]

describe('entropy-bound: sum - max <= gamma', () => {
  test('the largest entropy of the set is free', () => {
    // ascending 1/8, 1/4, 1/2, 2: the sums of all but the largest are 0, 1/8, 3/8, 7/8
    assert.deepEqual(reveal('entropy-bound', 0.375, [0.5, 0.125, 2, 0.25]), [1, 3, 0])
    assert.deepEqual(reveal('entropy-bound', 0.37, [0.5, 0.125, 2, 0.25]), [1, 3])
    assert.deepEqual(reveal('entropy-bound', 0.875, [0.5, 0.125, 2, 0.25]), [1, 3, 0, 2])
  })

  test('gamma 0 reveals one position, and exact zeros with it', () => {
    assert.deepEqual(reveal('entropy-bound', 0, [3, 2, 5]), [1])
    assert.deepEqual(reveal('entropy-bound', 0, [0, 2, 0, 1]), [0, 2, 3])
  })

  test('a seed is a member of the set', () => {
    // members 1/2 (seed) and 1/8: 5/8 - 1/2 = 1/8; with 3/4 as well: 11/8 - 3/4 = 5/8
    assert.deepEqual(reveal('entropy-bound', 0.125, [0.125, 0.75], 0.5), [0])
    assert.deepEqual(reveal('entropy-bound', 0.625, [0.125, 0.75], 0.5), [0, 1])
    assert.deepEqual(reveal('entropy-bound', 0.1, [0.125, 0.75], 0.5), [])
  })
})

describe('strict: sum <= gamma', () => {
  test('every token counts', () => {
    assert.deepEqual(reveal('strict', 0.375, [0.5, 0.125, 2, 0.25]), [1, 3])
    assert.deepEqual(reveal('strict', 0.875, [0.5, 0.125, 2, 0.25]), [1, 3, 0])
  })

  test('at least the single lowest without a seed, none beyond a costly seed', () => {
    assert.deepEqual(reveal('strict', 0.05, [0.5, 0.125]), [1])
    assert.deepEqual(reveal('strict', 0.5, [0.25, 0.125], 0.4375), [])
    assert.deepEqual(reveal('strict', 0.5, [0.25, 0.125], 0.375), [1])
  })
})

describe('threshold: each H < gamma', () => {
  test('nothing accumulates, and the bound itself is outside', () => {
    assert.deepEqual(reveal('threshold', 0.5, [0.5, 0.49, 0.1, 0.4]), [2, 3, 1])
    assert.deepEqual(reveal('threshold', 0.05, [0.5, 0.49]), [1])
    assert.deepEqual(reveal('threshold', 0.05, [0.5, 0.49], 3), [])
  })
})

describe('confidence: each token has a probability of at least exp(-gamma)', () => {
  const confident = (gamma: number, probabilities: number[], seeded = false): readonly number[] =>
    chooseReveals({
      rule: 'confidence',
      gamma,
      candidates: probabilities.map((p, index) => ({ index, entropy: 5, surprise: -Math.log(p) })),
      ...(seeded && { seedEntropy: 3 }),
    }).indices

  test('the bound itself is inside, nothing accumulates, entropies do not count', () => {
    assert.deepEqual(confident(-Math.log(0.5), [0.5, 0.9, 0.49, 0.75]), [1, 3, 0])
    assert.deepEqual(confident(0, [0.5, 1, 0.49, 1]), [1, 3])
  })

  test('else the single most probable one, with a seed none', () => {
    assert.deepEqual(confident(0.05, [0.5, 0.6]), [1])
    assert.deepEqual(confident(0.05, [0.5, 0.6], true), [])
  })
})

describe('a least number of positions', () => {
  const atLeast = (rule: SetRule, count: number) =>
    chooseReveals({
      rule,
      gamma: 0.375,
      candidates: [0.5, 0.125, 2, 0.25].map((entropy, index) => ({
        index,
        entropy,
        surprise: entropy,
      })),
      atLeast: count,
    })

  test('raises gamma to the least bound that allows them', () => {
    assert.deepEqual(atLeast('strict', 3), { indices: [1, 3, 0], gamma: 0.875, byRule: 2 })
    assert.deepEqual(atLeast('entropy-bound', 4), {
      indices: [1, 3, 0, 2],
      gamma: 0.875,
      byRule: 3,
    })
    assert.deepEqual(atLeast('threshold', 3), { indices: [1, 3, 0], gamma: 0.5, byRule: 2 })
    assert.deepEqual(atLeast('confidence', 9), { indices: [1, 3, 0, 2], gamma: 2, byRule: 2 })
  })

  test('leaves gamma alone where the rule reveals as many by itself', () => {
    assert.deepEqual(atLeast('strict', 2), { indices: [1, 3], gamma: 0.375, byRule: 2 })
    assert.deepEqual(atLeast('entropy-bound', 1), { indices: [1, 3, 0], gamma: 0.375, byRule: 3 })
  })
})

test('ties go to the leftmost position', () => {
  assert.deepEqual(reveal('strict', 0, [1, 1, 1]), [0])
})

test('no candidate, no reveal', () => {
  for (const rule of ['entropy-bound', 'strict', 'threshold', 'confidence'] as const) {
    assert.deepEqual(reveal(rule, 1, []), [])
  }
})

test('a larger gamma never reveals less', () => {
  const entropies = [0.9, 0.05, 0.3, 0.31, 1.7, 0.002, 0.6]
  for (const rule of ['entropy-bound', 'strict', 'threshold'] as const) {
    const counts = [0, 0.01, 0.1, 0.35, 0.6, 1.5, 10].map((g) => reveal(rule, g, entropies).length)
    assert.deepEqual(
      counts,
      [...counts].sort((a, b) => a - b),
    )
    assert.equal(counts.at(-1), entropies.length)
  }
})
