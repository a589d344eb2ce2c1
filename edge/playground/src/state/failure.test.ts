import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeRefusal } from './failure.ts'

const refuse = (status: number, message?: string, retryAfterSeconds?: number) =>
  describeRefusal({
    status,
    error: message === undefined ? undefined : { message, code: null },
    retryAfterSeconds,
  })

test('each refusal says what happened and what to do', () => {
  assert.partialDeepStrictEqual(refuse(401, 'this key is unknown'), {
    title: 'This key was not accepted',
    detail: 'This key is unknown.',
    remedy: 'key',
  })
  assert.match(refuse(429, 'the queue is full', 20).detail, /Try again in 20 seconds\.$/)
  assert.match(refuse(429).detail, /in a second\.$/)
  assert.equal(refuse(503, 'no worker').title, 'No worker answers')
  assert.equal(refuse(500).remedy, 'retry')
  assert.deepEqual(refuse(400, 'max_tokens: too many'), {
    title: 'The request was refused',
    detail: 'Max_tokens: too many.',
    remedy: 'edit',
  })
})

test('an answer in foreign words still gives a message', () => {
  assert.match(refuse(502).detail, /status 502/)
})
