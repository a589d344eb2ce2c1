import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { leastReveals } from './pace.ts'

const job = { tokensLeft: 24, open: 8, byRule: 0 }

test('a block is shared out over the whole number of forwards that it may take', () => {
  // 24 tokens in 3 forwards more: 6 a forward, so a block of 8 has one forward
  assert.equal(leastReveals({ ...job, forwardsLeft: 3 }), 8)
  // 24 in 6: 4 a forward, two forwards for the block
  assert.equal(leastReveals({ ...job, forwardsLeft: 5 }), 4)
  // 24 in 9: 2.67 a forward, three forwards for the block
  assert.equal(leastReveals({ ...job, forwardsLeft: 8.9 }), 3)
  assert.equal(leastReveals({ ...job, forwardsLeft: 1000 }), 1)
})

test('nothing is required of a budget without an end, everything of a spent one', () => {
  assert.equal(leastReveals({ ...job, forwardsLeft: Infinity }), 0)
  for (const forwardsLeft of [0, -3, 0.5]) {
    assert.equal(leastReveals({ ...job, forwardsLeft }), 8)
  }
})

test('a rule that is fast enough is left alone', () => {
  assert.equal(leastReveals({ ...job, byRule: 2, forwardsLeft: 12 }), 0)
  assert.equal(leastReveals({ ...job, byRule: 2, forwardsLeft: 11 }), 2)
})

test('whoever reveals no more than required is done in time, unless no pace could be', () => {
  const paces = fc.record({
    tokens: fc.integer({ min: 1, max: 300 }),
    forwards: fc.integer({ min: 1, max: 300 }),
    blockLength: fc.integer({ min: 2, max: 16 }),
  })
  fc.assert(
    fc.property(paces, ({ tokens, forwards, blockLength }) => {
      let [left, open, used] = [tokens, Math.min(blockLength, tokens), 0]
      while (left > 0) {
        used += 1
        const forwardsLeft = forwards - used
        const least = Math.max(1, leastReveals({ tokensLeft: left, open, forwardsLeft, byRule: 0 }))
        left -= least
        open = open === least ? Math.min(blockLength, left) : open - least
      }
      assert.ok(used <= Math.max(forwards, Math.ceil(tokens / blockLength)))
    }),
  )
})
