import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { AtMost } from './at-most.ts'

test('no more than so many run at once, in the order in which they came, failures included', async () => {
  const turns = new AtMost(2)
  let running = 0
  let most = 0
  const began: number[] = []
  const work = async (index: number): Promise<number> => {
    began.push(index)
    most = Math.max(most, ++running)
    await setImmediate()
    running -= 1
    if (index % 3 === 0) throw new Error(`${index}`)
    return index
  }
  const all = Array.from({ length: 10 }, (_, index) => turns.run(() => work(index)))
  const results = await Promise.allSettled(all)
  assert.equal(most, 2)
  assert.deepEqual(began, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  assert.deepEqual(
    results.map(({ status }) => status === 'fulfilled'),
    began.map((index) => index % 3 !== 0),
  )
  assert.equal(await turns.run(async () => 'again'), 'again')
})
