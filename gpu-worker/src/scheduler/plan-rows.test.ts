import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { JobDemand } from '../decoding/job-decoder.ts'
import { planRows, PREFILL_ROWS_MAX, rowPrice, shareFairly } from './plan-rows.ts'
import { RowCost } from './row-cost.ts'

/** 1 ms with one row, 0.1 ms for each further one. */
const cost = new RowCost([
  { rows: 1, ms: 1 },
  { rows: 11, ms: 2 },
])
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
const prompt = (wanted: number): JobDemand => ({ phase: 'prefill', least: 1, wanted })
const stream = (least: number, wanted = least): JobDemand => ({ phase: 'decode', least, wanted })

describe('max-min fair shares', () => {
  test('who wants little gets it, the others share equally', () => {
    assert.deepEqual(shareFairly([100, 5, 100], 65), [30, 5, 30])
    assert.deepEqual(shareFairly([3, 5, 8], 100), [3, 5, 8])
    assert.deepEqual(shareFairly([9, 0, 9], 3), [2, 0, 1])
    assert.deepEqual(shareFairly([], 10), [])
  })

  test('nothing is left while somebody wants more, and no one gets less than a fair share', () => {
    const wants = fc.array(fc.nat(400), { maxLength: 20 })
    fc.assert(
      fc.property(wants, fc.nat(600), (wanted, budget) => {
        const granted = shareFairly(wanted, budget)
        assert.equal(sum(granted), Math.min(budget, sum(wanted)))
        const most = Math.max(0, ...granted)
        for (const [index, rows] of granted.entries()) {
          assert.ok(rows <= wanted[index]!)
          if (rows < wanted[index]!) assert.ok(rows >= most - 1)
        }
      }),
    )
  })
})

describe('the rows of a forward', () => {
  test('a lone prompt gets a whole chunk; two share it', () => {
    assert.deepEqual(planRows([prompt(1000)], cost), [PREFILL_ROWS_MAX])
    assert.deepEqual(planRows([prompt(1000), prompt(40)], cost), [PREFILL_ROWS_MAX - 40, 40])
  })

  test('beside streams, prompts may stretch the forward to three times its length', () => {
    // Eleven rows of streams take 2 ms; 6 ms are 51 rows.
    const granted = planRows([stream(4), prompt(1000), stream(7), prompt(10)], cost)
    assert.deepEqual(granted, [4, 30, 7, 10])
  })

  test('a prompt moves on even where the streams fill the forward', () => {
    const steep = new RowCost([
      { rows: 1, ms: 1 },
      { rows: 2, ms: 100 },
    ])
    assert.deepEqual(planRows([stream(1), prompt(500)], steep), [1, 16])
  })

  test('streams always get what they need, and what they want while there is room', () => {
    const streams = Array.from({ length: 64 }, () => stream(6, 22))
    const granted = planRows(streams, cost)
    assert.ok(granted.every((rows) => rows >= 6 && rows <= 22))
    assert.equal(sum(granted), 512)
    assert.deepEqual(planRows([stream(1, 30), stream(2, 4)], cost), [30, 4])
  })
})

describe('the price of a row', () => {
  test('is what all streams make in the time of one more row, less a share', () => {
    // 4 tokens of 2 ms, 0.1 ms a row
    assert.ok(Math.abs(rowPrice(cost, [{ tokens: 4, rows: 11 }]) - 0.85 * 0.1 * (4 / 2)) < 1e-9)
  })

  test('never falls below that of plain decoding', () => {
    assert.ok(Math.abs(rowPrice(cost, [{ tokens: 0.1, rows: 1 }]) - 0.85 * 0.1) < 1e-9)
  })

  test('rises with the number of streams', () => {
    const prices = [1, 2, 4, 8, 16].map((count) =>
      rowPrice(
        cost,
        Array.from({ length: count }, () => ({ tokens: 3, rows: 8 })),
      ),
    )
    for (const [index, price] of prices.slice(1).entries()) assert.ok(price > prices[index]!)
  })

  test('before anybody decodes it is that of one plain stream', () => {
    assert.equal(rowPrice(cost, []), rowPrice(cost, [{ tokens: 1, rows: 1 }]))
  })
})
