import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TextUsage } from '../text/text-events.ts'
import { sumUsage } from './usage.ts'

const one: TextUsage = {
  promptTokens: 5,
  cachedTokens: 2,
  completionTokens: 8,
  forwardPasses: { prefill: 1, decode: 2 },
  tokensPerForward: 4,
  queueMs: 1,
  prefillMs: 2,
  decodeMs: 3,
  effectiveGamma: 0.1,
  rows: { total: 10, wasted: 1 },
  drafts: { drafted: 3, accepted: 2, positions: [{ drafted: 3, accepted: 2 }] },
}

test('one usage is itself', () => {
  assert.equal(sumUsage([one]), one)
})

test('the prompt counts once, work adds up, the bound is a mean over forwards', () => {
  const other: TextUsage = {
    ...one,
    completionTokens: 4,
    forwardPasses: { prefill: 1, decode: 6 },
    queueMs: 9,
    effectiveGamma: 0.5,
    rows: { total: 5, wasted: 0 },
    drafts: {
      drafted: 2,
      accepted: 0,
      positions: [
        { drafted: 1, accepted: 0 },
        { drafted: 1, accepted: 0 },
      ],
    },
  }
  assert.deepEqual(sumUsage([one, other]), {
    promptTokens: 5,
    cachedTokens: 2,
    completionTokens: 12,
    forwardPasses: { prefill: 2, decode: 8 },
    tokensPerForward: 1.5,
    queueMs: 9,
    prefillMs: 4,
    decodeMs: 6,
    effectiveGamma: (0.1 * 2 + 0.5 * 6) / 8,
    rows: { total: 15, wasted: 1 },
    drafts: {
      drafted: 5,
      accepted: 2,
      positions: [
        { drafted: 4, accepted: 2 },
        { drafted: 1, accepted: 0 },
      ],
    },
  })
})

test('what one answer does not know, the sum does not', () => {
  const stopped: TextUsage = {
    ...one,
    forwardPasses: { prefill: null, decode: 1 },
    prefillMs: null,
    effectiveGamma: null,
  }
  delete stopped.rows
  delete stopped.drafts
  const sum = sumUsage([one, stopped])
  assert.equal(sum.forwardPasses.prefill, null)
  assert.equal(sum.prefillMs, null)
  assert.equal(sum.effectiveGamma, null)
  assert.ok(!('rows' in sum) && !('drafts' in sum))
})
