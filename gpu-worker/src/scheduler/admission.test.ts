import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError } from '@setblock/shared'
import { Admission, type AdmissionOptions } from './admission.ts'

const admissionOf = (bounds: Partial<AdmissionOptions>): Admission =>
  new Admission({
    runningMax: 1,
    queueLengthMax: 100,
    queuedWorkMsMax: 1e9,
    queueWaitMsMax: 1e9,
    ...bounds,
  })

const refusal = (admission: Admission, workMs: number, nowMs: number): ApiError => {
  try {
    admission.admit('refused', workMs, nowMs)
  } catch (error) {
    assert.ok(error instanceof ApiError)
    return error
  }
  throw new Error('the job was admitted')
}

test('a full queue is refused, with the time that one place takes to come free', () => {
  const admission = admissionOf({ queueLengthMax: 2 })
  for (const id of ['a', 'b', 'c']) admission.admit(id, 6000, 0)
  admission.started('a')
  const { code, retryAfterSeconds } = refusal(admission, 6000, 0)
  assert.deepEqual([code, retryAfterSeconds], ['overloaded', 6])
  admission.ended('a', 100)
  admission.admit('d', 6000, 100)
})

test('work is counted, not jobs: many short ones fit where a few long ones do not', () => {
  const admission = admissionOf({ queuedWorkMsMax: 10_000 })
  admission.admit('running', 1, 0)
  admission.started('running')
  for (let index = 0; index < 50; index += 1) admission.admit(`short-${index}`, 100, 0)
  admission.admit('long', 4000, 0)
  assert.equal(refusal(admission, 4000, 0).retryAfterSeconds, 3)
  admission.admit('short', 900, 0)
})

test('a job of any size may run, and wait alone', () => {
  const admission = admissionOf({ queuedWorkMsMax: 10 })
  admission.admit('huge', 5000, 0)
  admission.started('huge')
  admission.admit('next', 5000, 0)
  assert.equal(refusal(admission, 1, 0).code, 'overloaded')
})

test('Retry-After follows the rate at which work has drained', () => {
  const at = (msPerJob: number): number => {
    const admission = admissionOf({ queueLengthMax: 1 })
    let nowMs = 0
    for (let index = 0; index < 60; index += 1) {
      admission.admit(`${index}`, 1000, nowMs)
      admission.started(`${index}`)
      nowMs += msPerJob
      admission.ended(`${index}`, nowMs)
      nowMs += 7000 // idle time is no part of the rate
    }
    admission.admit('running', 1000, nowMs)
    admission.started('running')
    admission.admit('waiting', 19_900, nowMs)
    return refusal(admission, 1000, nowMs).retryAfterSeconds!
  }
  assert.equal(at(1000), 20)
  assert.equal(at(500), 10)
  assert.equal(at(3000), 60)
})

test('jobs that leave before they ran say nothing of the rate', () => {
  const admission = admissionOf({ queueLengthMax: 1 })
  for (let index = 0; index < 60; index += 1) {
    admission.admit(`${index}`, 1e6, 0)
    admission.ended(`${index}`, 1)
  }
  admission.admit('running', 8000, 1)
  admission.started('running')
  admission.admit('waiting', 8000, 1)
  assert.equal(refusal(admission, 1, 1).retryAfterSeconds, 8)
})

test('who would wait longer than promised is refused, by the pace of late', () => {
  const waitingAt = (msPerJob: number): number => {
    const admission = admissionOf({ queueWaitMsMax: 2000 })
    let nowMs = 0
    for (let index = 0; index < 60; index += 1) {
      admission.admit(`${index}`, 1000, nowMs)
      admission.started(`${index}`)
      nowMs += msPerJob
      admission.ended(`${index}`, nowMs)
    }
    admission.admit('running', 1000, nowMs)
    admission.started('running')
    for (let waiting = 0; ; waiting += 1) {
      const { waitMs } = admission.queue
      try {
        admission.admit(`waiting-${waiting}`, 1000, nowMs)
      } catch (error) {
        assert.ok(error instanceof ApiError)
        assert.ok(waitMs > 2000)
        assert.equal(error.retryAfterSeconds, Math.ceil((waitMs - 2000) / 1000))
        return waiting
      }
      assert.ok(waitMs <= 2000)
    }
  }
  // At 100 ms a job the 20th makes it more than two seconds, at 600 ms the 4th.
  assert.equal(waitingAt(100), 20)
  assert.equal(waitingAt(600), 4)
})

test('a forecast is what a job that came now would meet', () => {
  const admission = admissionOf({})
  assert.deepEqual(admission.queue, { waiting: 0, workMs: 0, waitMs: 0 })
  for (const id of ['running', 'a', 'b']) admission.admit(id, 500, 0)
  admission.started('running')
  assert.deepEqual(admission.queue, { waiting: 2, workMs: 1000, waitMs: 1000 })
})
