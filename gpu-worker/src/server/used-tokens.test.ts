import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UsedTokens } from './used-tokens.ts'

test('a token is taken once, as long as it would be good', () => {
  const used = new UsedTokens(10)
  assert.equal(used.take({ nonce: 'a', expiresAt: 100 }, 0), true)
  assert.equal(used.take({ nonce: 'b', expiresAt: 100 }, 0), true)
  assert.equal(used.take({ nonce: 'a', expiresAt: 100 }, 99), false)
})

test('memory of tokens ends with them, and is bounded', () => {
  const used = new UsedTokens(3)
  for (const nonce of ['a', 'b', 'c']) used.take({ nonce, expiresAt: 100 }, 0)
  used.take({ nonce: 'd', expiresAt: 200 }, 100)
  assert.equal(used.size, 1)
  for (const nonce of ['e', 'f', 'g']) used.take({ nonce, expiresAt: 200 }, 100)
  assert.equal(used.size, 3)
  assert.equal(used.take({ nonce: 'g', expiresAt: 200 }, 100), false)
})
