import assert from 'node:assert/strict'
import { test } from 'node:test'
import { placeJob } from './place-job.ts'

test('a job goes to the engine with the least work, the first of equals', () => {
  assert.equal(
    placeJob(
      [
        { jobs: 0, workMs: 0 },
        { jobs: 0, workMs: 0 },
      ],
      8,
    ),
    0,
  )
  assert.equal(
    placeJob(
      [
        { jobs: 1, workMs: 30 },
        { jobs: 2, workMs: 20 },
      ],
      8,
    ),
    1,
  )
})

test('a job that can run at once does, whatever the work there', () => {
  const full = { jobs: 2, workMs: 10 }
  assert.equal(placeJob([full, { jobs: 1, workMs: 500 }], 2), 1)
  assert.equal(placeJob([full, { jobs: 5, workMs: 500 }], 2), 0)
})
