import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UseTimes } from './use-times.ts'

test('the end of a prefix was used before its beginning, and a later use is later whatever the clock says', () => {
  const uses = new UseTimes(10)
  uses.note(['a', 'b'], 1000)
  uses.note(['c'], 5)
  const [a = 0, b = 0, c = 0] = ['a', 'b', 'c'].map((name) => uses.of(name))
  assert.ok(b < a && a < c)
  assert.equal(a, 1000)
  assert.equal(uses.of('never'), undefined)
})

test('however much is used that is never stored, only the latest uses are remembered', () => {
  const uses = new UseTimes(100)
  for (let index = 0; index < 1000; index += 1) uses.note([`first-${index}`, `second-${index}`], 1)
  assert.equal(uses.size, 100)
  assert.ok(uses.of('first-999') !== undefined)
  assert.equal(uses.of('first-1'), undefined)
  // One that is used again and again stays.
  for (let index = 0; index < 200; index += 1) uses.note(['often', `other-${index}`], 1)
  assert.ok(uses.of('often') !== undefined)
  uses.keepOnly(new Set(['often']))
  assert.equal(uses.size, 1)
})
