import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMemoryMeter } from './memory-meter.ts'
import { advance, decide, freshMeter, settled } from './meter.ts'
import type { MeterState, Receipt, Verdict } from './meter.ts'
import { formatDuration } from './rate-limit-headers.ts'

const NOW = Date.parse('2026-11-21T12:00:00Z')
const allowance = { requestsPerMinute: 60, tokensPerMinute: 600, tokensPerMonth: null }

function refusalOf(verdict: Verdict) {
  assert.equal(verdict.admitted, false)
  return verdict
}

function receiptOf(verdict: Verdict): Receipt {
  assert.equal(verdict.admitted, true)
  return verdict.receipt
}

/** Admits `count` requests of `tokens` each at one moment. */
function admitAll(state: MeterState, count: number, tokens: number): MeterState {
  for (let index = 0; index < count; index++) {
    const decision = decide(state, allowance, tokens)
    receiptOf(decision.verdict)
    state = decision.state
  }
  return state
}

test('a minute holds exactly its requests, and the wait named is the wait needed', () => {
  const state = admitAll(freshMeter(allowance, NOW), 60, 1)
  const refused = refusalOf(decide(state, allowance, 1).verdict)
  assert.equal(refused.reason, 'requests')
  assert.equal(refused.retryAfterMs, 1000)
  assert.equal(refused.standing.remainingRequests, 0)
  assert.equal(refused.standing.resetRequestsMs, 60_000)
  const early = advance(state, allowance, NOW + refused.retryAfterMs - 1)
  refusalOf(decide(early, allowance, 1).verdict)
  receiptOf(decide(advance(state, allowance, NOW + 1000), allowance, 1).verdict)
})

test('tokens are charged by estimate, and given back when fewer were used', () => {
  const { verdict, state } = decide(freshMeter(allowance, NOW), allowance, 600)
  assert.equal(refusalOf(decide(state, allowance, 10).verdict).retryAfterMs, 1000)
  const after = settled(state, allowance, receiptOf(verdict), 100)
  assert.equal(after.tokens.level, 500)
  receiptOf(decide(after, allowance, 500).verdict)
})

test('a request larger than a minute waits for a whole one and leaves a debt', () => {
  const fresh = freshMeter(allowance, NOW)
  const { verdict, state } = decide(fresh, allowance, 5_000)
  const receipt = receiptOf(verdict)
  assert.equal(receipt.minuteTokens, 600)
  const after = settled(state, allowance, receipt, 1_200)
  assert.equal(after.tokens.level, -600)
  assert.equal(refusalOf(decide(after, allowance, 1).verdict).retryAfterMs, 60_100)
})

test('a quota counts the month and begins again with the next', () => {
  const limited = { ...allowance, tokensPerMonth: 1_000 }
  const state = freshMeter(limited, NOW, 950)
  receiptOf(decide(state, limited, 50).verdict)
  assert.equal(refusalOf(decide(state, limited, 51).verdict).reason, 'quota')
  const next = advance(state, limited, Date.parse('2026-12-01T00:00:00Z'))
  receiptOf(decide(next, limited, 600).verdict)
})

test('a receipt of a month that is over does not change the new one', () => {
  const { verdict, state } = decide(freshMeter(allowance, NOW), allowance, 100)
  const december = Date.parse('2026-12-01T00:00:00Z')
  const next = settled(advance(state, allowance, december), allowance, receiptOf(verdict), 10)
  assert.deepEqual(next.month, { name: '2026-12', tokens: 0 })
  assert.equal(next.tokens.level, 600)
})

test('requests at the same moment share one meter, which begins with the month’s use', async () => {
  const limited = { ...allowance, tokensPerMonth: 1_000 }
  const meter = createMemoryMeter({
    clock: () => NOW,
    monthTokens: async () => 900,
    metersMax: 10,
  })
  const verdicts = await Promise.all(
    Array.from({ length: 20 }, () => meter.admit('key-1', limited, 10)),
  )
  assert.equal(verdicts.filter(({ admitted }) => admitted).length, 10)
})

test('durations are written as OpenAI writes them', () => {
  const cases: [number, string][] = [
    [0, '0ms'],
    [11.2, '12ms'],
    [1_000, '1s'],
    [1_500, '1.5s'],
    [59_999, '59.999s'],
    [60_000, '1m0s'],
    [360_000, '6m0s'],
  ]
  for (const [ms, text] of cases) assert.equal(formatDuration(ms), text)
})
