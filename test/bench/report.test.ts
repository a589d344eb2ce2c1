import assert from 'node:assert/strict'
import { test } from 'node:test'
import { against, table, times } from './report.ts'

test('a table aligns names to the left and numbers to the right', () => {
  const text = table('speed', ['engine', 'tokens/s'], [['ntp', 7], ['verified', 1234]]) // prettier-ignore
  assert.equal(text, '\nspeed\nengine    tokens/s\nntp              7\nverified      1234\n')
})

test('a bar that is not reached is said to be not met', () => {
  assert.equal(against(1.29, { min: 1.3 }), '1.29 (at least 1.3): NOT met')
  assert.equal(against(1.3, { min: 1.3 }), '1.30 (at least 1.3): met')
  assert.equal(against(2.3, { max: 2.2 }), '2.30 (at most 2.2): NOT met')
})

test('what was not measured is never met', () => {
  assert.equal(against(null, { max: 1 }), 'not measured')
  assert.equal(against(Number.NaN, { min: 1 }), 'not measured')
  assert.equal(times(undefined), '-')
})
