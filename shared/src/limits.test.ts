import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvariantError } from './assert.ts'
import { assertLimits, limits } from './limits.ts'

test('limits that contradict each other are refused, both numbers in the message', () => {
  const broken = { ...limits, stallMs: limits.heartbeatMs }
  assert.throws(() => assertLimits(broken), {
    name: 'InvariantError',
    message: /heartbeatMs \(5000\).*stallMs \(5000\)/,
  })
})

test('a gamma bound below the entropy of a block is refused', () => {
  assert.throws(() => assertLimits({ ...limits, gammaMax: 199 }), InvariantError)
})

test('the largest legal prompt fits a job body', () => {
  const tokenIds = Array.from({ length: limits.promptTokensMax }, () => limits.tokenIdMax)
  assert.ok(JSON.stringify(tokenIds).length < limits.jobBodyBytesMax)
})
