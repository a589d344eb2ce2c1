import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { test } from 'node:test'
import type { JobEvent } from '@setblock/shared'
import { Outbox } from './outbox.ts'

const start: JobEvent = { type: 'start', promptTokens: 1, cachedTokens: 0, queueMs: 0 }
const failure: JobEvent = { type: 'error', code: 'aborted', message: '', retryable: false }
const reveal = (position: number): JobEvent => ({
  type: 'reveal',
  block: 0,
  step: 0,
  positions: [position],
  tokenIds: [position],
})

function open() {
  const sent: string[] = []
  const outbox = new Outbox((events) => {
    sent.push(events.map(({ jobId, event }) => `${jobId} ${event.type}`).join(', '))
  })
  return { outbox, sent }
}

test('what one turn of the loop reveals is one message, sent before the next turn', async () => {
  const { outbox, sent } = open()
  outbox.add('a', reveal(1))
  await Promise.resolve()
  outbox.add('b', reveal(7))
  assert.deepEqual(sent, [])
  await setImmediate()
  assert.deepEqual(sent, ['a reveal, b reveal'])
  outbox.add('a', reveal(2))
  await setImmediate()
  assert.deepEqual(sent.slice(1), ['a reveal'])
})

test('a beginning and an end go at once, behind what was revealed before them', async () => {
  const { outbox, sent } = open()
  outbox.add('a', start)
  outbox.add('a', reveal(1))
  outbox.add('a', failure)
  assert.deepEqual(sent, ['a start', 'a reveal, a error'])
  await setImmediate()
  assert.equal(sent.length, 2)
})
