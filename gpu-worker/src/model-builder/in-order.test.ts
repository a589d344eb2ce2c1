import assert from 'node:assert/strict'
import { test } from 'node:test'

import { inOrder } from './in-order.ts'

test('results come in order, whichever is ready first, and no more than asked for are begun', async () => {
  let [underWay, most] = [0, 0]
  const make = async (index: number) => {
    most = Math.max(most, ++underWay)
    for (let turns = index % 2 === 0 ? 20 : 1; turns > 0; turns--) await Promise.resolve()
    return index
  }
  const seen: number[] = []
  for await (const index of inOrder(make, [3, 12], 3)) {
    seen.push(index)
    await Promise.resolve()
    underWay--
  }
  assert.deepEqual(seen, [3, 4, 5, 6, 7, 8, 9, 10, 11])
  assert.equal(most, 4, 'three, and the one that the caller has')
})

test('a failure comes when its turn does, after what was begun with it is over', async () => {
  const over: number[] = []
  const make = async (index: number) => {
    if (index === 1) throw new Error('one fails')
    for (let turns = 20; turns > 0; turns--) await Promise.resolve()
    over.push(index)
    return index
  }
  const seen: number[] = []
  await assert.rejects(async () => {
    for await (const index of inOrder(make, [0, 9], 3)) seen.push(index)
  }, /one fails/)
  assert.deepEqual(seen, [0])
  assert.deepEqual(over, [0, 2, 3])
})
