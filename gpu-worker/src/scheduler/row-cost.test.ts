import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ToyEngine } from '../testing/toy-engine.ts'
import { rowCount } from '../engine/attention-mask.ts'
import { CostMeter, measureRowCost, RowCost } from './row-cost.ts'

const cost = new RowCost([
  { rows: 1, ms: 1 },
  { rows: 8, ms: 0.9 },
  { rows: 16, ms: 3 },
])

test('straight between the points, on along the last slope, never below the first', () => {
  assert.equal(cost.ms(12), 2)
  assert.equal(cost.ms(16), 3)
  assert.equal(cost.ms(24), 5)
  assert.equal(cost.ms(0), 1)
})

test('more rows never seem cheaper, whatever was measured', () => {
  assert.equal(cost.ms(8), 1)
})

test('the most rows within a time', () => {
  assert.equal(cost.rowsWithin(2, 100), 12)
  assert.equal(cost.rowsWithin(2, 9), 9)
  assert.equal(cost.rowsWithin(0.5, 100), 0)
})

test('measured on the engine, the fastest of the rounds; the sequence is given back', async () => {
  const engine = new ToyEngine({ missRate: 0 })
  let nowMs = 0
  engine.onForward = () => {
    const rows = rowCount(engine.batches.at(-1)![0]!)
    const disturbedMs = engine.batches.length % 7 === 0 ? 50 : 0
    nowMs += 1 + rows / 8 + disturbedMs
  }
  const measured = await measureRowCost(engine, () => nowMs)
  assert.deepEqual(
    [1, 8, 16, 64].map((rows) => measured.ms(rows)),
    [1.125, 2, 3, 9],
  )
  assert.equal(engine.openSequences, 0)
})

test('on a machine so busy that few forwards run through, it measures until some have', async () => {
  const engine = new ToyEngine({ missRate: 0 })
  let nowMs = 0
  engine.onForward = () => {
    const heldUpMs = engine.batches.length % 11 === 0 ? 0 : 15
    nowMs += 1 + rowCount(engine.batches.at(-1)![0]!) / 8 + heldUpMs
  }
  const measured = await measureRowCost(engine, () => nowMs)
  assert.deepEqual(
    [1, 8, 16, 32, 64].map((rows) => measured.ms(rows)),
    [1.125, 2, 3, 5, 9],
  )
})

test('what was disturbed at start is corrected later, in few rounds that end early for whoever waits', async () => {
  const engine = new ToyEngine({ missRate: 0 })
  let nowMs = 0
  let disturbedMs = 40
  engine.onForward = () => {
    nowMs += 0.5 + rowCount(engine.batches.at(-1)![0]!) / 64 + disturbedMs
  }
  const meter = new CostMeter(engine, () => nowMs)
  await meter.measure()
  assert.equal(meter.settled, false)
  assert.equal((await meter.measureAgain(() => true))?.ms(64), 41.5)
  disturbedMs = 0
  const interrupted = await meter.measureAgain(() => false)
  assert.equal(interrupted?.ms(64), 41.5)
  assert.equal((await meter.measureAgain(() => true))?.ms(64), 1.5)
  assert.equal((await meter.measureAgain(() => true))?.ms(8), 0.625)
  let rounds = 4
  while ((await meter.measureAgain(() => true)) !== undefined) rounds += 1
  assert.equal(rounds, 64)
  assert.equal(engine.openSequences, 0)
})

test('a slow engine is left alone after a few lone rows', async () => {
  const engine = new ToyEngine({ missRate: 0 })
  let nowMs = 0
  engine.onForward = () => {
    nowMs += 20
  }
  const meter = new CostMeter(engine, () => nowMs)
  await meter.measure()
  const before = engine.batches.length
  while ((await meter.measureAgain(() => true)) !== undefined);
  assert.equal(engine.batches.length, before + 8)
  assert.equal(engine.openSequences, 0)
})
