import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError } from '@setblock/shared'
import type { WithheldReason } from '../metrics/edge-metrics.ts'
import { createWorkerRoom } from './worker-room.ts'

const LIMITS = {
  workerVerdictsMax: 2,
  workerLateVerdictsMax: 1,
  workerLateVerdictMs: 1_000,
  workerFullMs: 50,
  workersMax: 3,
}
const FULL = { code: 'overloaded', message: 'the queue is full', retryAfterSeconds: 7 }
const full = () => new ApiError('overloaded', FULL.message, { retryAfterSeconds: 7 })

function setUp() {
  const time = { now: 1_000_000 }
  const withheld: WithheldReason[] = []
  const metrics = { withheld: (reason: WithheldReason) => void withheld.push(reason) }
  const room = createWorkerRoom({ clock: () => time.now, limits: LIMITS, metrics })
  return { room, time, withheld }
}

test('what a full worker said is repeated for a moment, and then it is asked again', async () => {
  const { room, time, withheld } = setUp()
  let asked = 0
  const ask = () => {
    asked += 1
    return asked === 1 ? Promise.reject(full()) : Promise.resolve('taken')
  }
  await assert.rejects(room.offer('a', ask), FULL)
  await assert.rejects(room.offer('a', ask), FULL)
  assert.throws(() => room.assertAny(['a']), FULL)
  assert.equal(asked, 1)
  assert.deepEqual(withheld, ['full', 'full'])
  time.now += LIMITS.workerFullMs
  room.assertAny(['a'])
  assert.equal(await room.offer('a', ask), 'taken')
})

test('a job taken meanwhile shows that there is room again', async () => {
  const { room } = setUp()
  const taken = Promise.withResolvers<string>()
  const offered = room.offer('a', () => taken.promise)
  await assert.rejects(room.offer('a', () => Promise.reject(full())))
  taken.resolve('taken')
  await offered
  room.assertAny(['a'])
})

test('a worker that does not answer is offered no more than a bounded number of jobs', async () => {
  const { room, withheld } = setUp()
  const verdict = Promise.withResolvers<string>()
  const offers = [room.offer('a', () => verdict.promise), room.offer('a', () => verdict.promise)]
  const never = () => assert.fail('must not be asked')
  await assert.rejects(room.offer('a', never), { code: 'overloaded', retryAfterSeconds: 1 })
  assert.equal(await room.offer('b', () => Promise.resolve('b took it')), 'b took it')
  assert.deepEqual(withheld, ['unanswered'])
  verdict.resolve('taken')
  assert.deepEqual(await Promise.all(offers), ['taken', 'taken'])
  assert.equal(await room.offer('a', () => Promise.resolve('again')), 'again')
})

test('a worker that answers late is offered fewer, until it answers in time again', async () => {
  const { room, time, withheld } = setUp()
  const verdicts = [1, 2, 3].map(() => Promise.withResolvers<string>())
  const ask = (index: number) => room.offer('a', () => verdicts[index]!.promise)
  const offers = [ask(0), ask(1)]
  time.now += LIMITS.workerLateVerdictMs + 1
  verdicts[0]!.resolve('late')
  await offers[0]
  assert.throws(() => room.assertAny(['a']), { code: 'overloaded' })
  assert.deepEqual(withheld, ['unanswered'])
  verdicts[1]!.resolve('late too')
  await offers[1]
  const third = ask(2)
  verdicts[2]!.resolve('in time')
  await third
  offers.push(room.offer('a', () => new Promise(() => undefined)))
  room.assertAny(['a'])
})

test('other failures say nothing about room, and leave none behind', async () => {
  const { room } = setUp()
  for (let index = 0; index < 2 * LIMITS.workerVerdictsMax; index++) {
    const gone = new ApiError('worker_unavailable', 'gone')
    await assert.rejects(
      room.offer('a', () => Promise.reject(gone)),
      gone,
    )
  }
  room.assertAny(['a'])
})

test('one worker with room is enough, and without any worker there is nothing to say here', async () => {
  const { room } = setUp()
  await assert.rejects(room.offer('a', () => Promise.reject(full())))
  room.assertAny(['a', 'b'])
  room.assertAny([])
})

test('a clock that is set back keeps no worker full', async () => {
  const { room, time } = setUp()
  await assert.rejects(room.offer('a', () => Promise.reject(full())))
  time.now -= 600_000
  room.assertAny(['a'])
})

test('workers that come and go are forgotten, those that owe an answer are not', async () => {
  const { room } = setUp()
  const verdict = Promise.withResolvers<string>()
  const owing = [1, 2].map(() => room.offer('owing', () => verdict.promise))
  for (let index = 0; index < 100; index++) {
    await assert.rejects(room.offer(`gone-${index}`, () => Promise.reject(full())))
  }
  assert.throws(() => room.assertAny(['owing']), { code: 'overloaded' })
  room.assertAny(['gone-0'])
  verdict.resolve('taken')
  await Promise.all(owing)
})
