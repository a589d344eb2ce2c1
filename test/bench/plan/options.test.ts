import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { readOptions } from './options.ts'
import { makePlan } from './plan.ts'
import { planJson, planText } from './print-plan.ts'

const plan = (...args: string[]) => makePlan(readOptions(args))

test('each option at fault is named', async () => {
  for (const [args, message] of [
    [['--rps', 'many'], /^--rps: /],
    [['--utilisation', '1'], /^--utilisation: /],
    [['--block-length', '17'], /^--block-length: /],
    [['--gamma', '3'], /^--gamma: /],
  ] as const) {
    assert.throws(() => readOptions(args), { message })
  }
  assert.throws(() => readOptions(['--gpus', '2']), /--gpus/)
  await assert.rejects(plan('--gpu', 'abacus'), /^Error: --gpu: must be one of 4090, h100/)
  await assert.rejects(plan('--gpu', 'custom', '--memory-gb', '8'), /--bandwidth-gbs/)
  await assert.rejects(plan('--model', 'nowhere'), /^Error: --model: nowhere is none of 1b, 8b/)
  await assert.rejects(plan('--gpu', 'l4', '--model', '70b'), /^Error: --model: .* 141.1 GB/)
  await assert.rejects(plan('--stream-speed', '100000'), /^Error: --stream-speed/)
})

test('a model folder, and a CPU by its figures', async () => {
  const folder = path.join(import.meta.dirname, '../../../models/setblock-nano')
  const cpu = [
    '--gpu',
    'custom',
    '--memory-gb',
    '8',
    '--bandwidth-gbs',
    '40',
    '--tera-operations',
    '1',
  ]
  const made = await plan('--model', folder, '--precision', 'int8', ...cpu)
  assert.ok(made.weightBytes > 3e6 && made.weightBytes < 1e7)
  assert.equal(made.fleet.devices, 1)
})

test('a faster stream means fewer of them, and more load more devices', async () => {
  const base = await plan('--rps', '20')
  const fast = await plan('--rps', '20', '--stream-speed', '150')
  assert.ok(fast.point.streams < base.point.streams && fast.point.streamTokensPerSecond >= 150)
  assert.ok((await plan('--rps', '200')).fleet.devices > base.fleet.devices)
  assert.ok(base.fleet.utilisation <= 0.7)
})

test('what is computed says so, and where its inputs are from', async () => {
  const options = readOptions(['--mode', 'sbd', '--price', '2'])
  const made = await makePlan(options)
  const text = planText(made, options)
  assert.match(text, /^COMPUTED, not measured/)
  for (const part of ['data sheet', 'results/bench-', 'x 2 x 1,000,000 /', 'Eq. 16']) {
    assert.ok(text.includes(part), part)
  }
  const json = planJson(made, options)
  assert.equal(json['computed'], true)
  assert.ok(typeof json['costPerMillion'] === 'number' && typeof json['equation16'] === 'number')
})
