import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFailureGuard } from './failure-guard.ts'

test('an address that fails too often waits as long as it is told, others do not', () => {
  let now = 0
  const guard = createFailureGuard({
    clock: () => now,
    limits: { failedAttemptsPerMinute: 3, failedAddressesMax: 2 },
  })
  for (let count = 0; count < 3; count++) {
    guard.check('a')
    guard.fail('a')
  }
  assert.throws(() => guard.check('a'), { code: 'too_many_failed_attempts', retryAfterSeconds: 20 })
  guard.check('b')
  now = 20_000
  guard.check('a')
})

test('memory of addresses is bounded', () => {
  const guard = createFailureGuard({
    clock: () => 0,
    limits: { failedAttemptsPerMinute: 1, failedAddressesMax: 2 },
  })
  for (const address of ['a', 'b', 'c']) guard.fail(address)
  guard.check('a')
  assert.throws(() => guard.check('b'))
  assert.throws(() => guard.check('c'))
})
