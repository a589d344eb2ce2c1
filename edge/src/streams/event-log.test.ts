import assert from 'node:assert/strict'
import { test } from 'node:test'
import { collect } from '../test-support/collect.ts'
import { assert as hold, asyncProperty, nat } from 'fast-check'
import { EventLog } from './event-log.ts'

const never = new AbortController().signal
const gap = () => new Error('gap')

test('readers get every event once and in order, wherever they begin and whenever they come', async () => {
  await hold(
    asyncProperty(nat(30), nat(30), nat(30), async (before, later, after) => {
      const log = new EventLog(1_000)
      const total = before + later
      for (let n = 1; n <= before; n++) log.append(`${n}`)
      const from = Math.min(after, total)
      const read = collect(log.follow(from, never, gap))
      for (let n = before + 1; n <= total; n++) {
        await Promise.resolve()
        log.append(`${n}`)
      }
      log.end()
      const expected = Array.from({ length: total - from }, (_, index) => `${from + index + 1}`)
      assert.deepEqual(await read, expected)
    }),
    { numRuns: 50, seed: 7 },
  )
})

test('it holds no more than its bound, and who missed an event is told', async () => {
  const log = new EventLog(10)
  const slow = log.follow(0, never, gap)
  log.append('aaaa')
  assert.equal((await slow.next()).value, 'aaaa')
  for (const frame of ['bbbb', 'cccc', 'dddd']) log.append(frame)
  assert.ok(log.characters <= 10)
  assert.deepEqual([log.first, log.length], [3, 4])
  await assert.rejects(slow.next(), /gap/)
  log.end()
  assert.deepEqual(await collect(log.follow(2, never, gap)), ['cccc', 'dddd'])
})

test('a reader that waits leaves when its signal says so', async () => {
  const controller = new AbortController()
  const reading = collect(new EventLog(10).follow(0, controller.signal, gap))
  controller.abort(new Error('left'))
  await assert.rejects(reading, /left/)
})
