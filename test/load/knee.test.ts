import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findKnee, KNEE } from './knee.ts'

/** A server that does as much as it can and not more. */
const serverOf = (capacity: number) => {
  const asked: number[] = []
  const measure = async (rate: number) => {
    asked.push(rate)
    return { goodShare: Math.min(1, capacity / rate) }
  }
  return { asked, measure }
}

test('the knee is found from below, whatever the capacity', async () => {
  for (const capacity of [5, 17, 100, 333]) {
    const knee = await findKnee(serverOf(capacity).measure)
    const goodUpTo = capacity / KNEE.goodShareMin
    assert.ok(knee <= goodUpTo, `${knee} for ${capacity}`)
    assert.ok(knee >= goodUpTo / 1.15, `${knee} for ${capacity}`)
  }
})

test('a server that follows at no rate has no knee', async () => {
  const { asked, measure } = serverOf(1)
  assert.equal(await findKnee(measure), 0)
  assert.deepEqual(asked, [KNEE.startRate])
})

test('a server without limits ends the search', async () => {
  const { asked, measure } = serverOf(Number.POSITIVE_INFINITY)
  assert.ok((await findKnee(measure)) >= KNEE.startRate * KNEE.growth ** (KNEE.stepsMax - 1))
  assert.ok(asked.length <= KNEE.stepsMax + 2)
})
