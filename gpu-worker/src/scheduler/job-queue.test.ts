import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Job } from '@setblock/shared'
import { JobQueue } from './job-queue.ts'
import type { WaitingJob } from './job-run.ts'

const waiting = (id: string, submittedMs: number): WaitingJob => ({
  job: { id } as Job,
  emit: () => undefined,
  submittedMs,
})
const drain = (queue: JobQueue): string => {
  let ids = ''
  for (let next = queue.take(); next !== undefined; next = queue.take()) ids += next.job.id
  return ids
}

test('equals leave in the order in which they came', () => {
  const queue = new JobQueue()
  for (const id of 'abc') queue.add(waiting(id, 5), 100)
  assert.equal(drain(queue), 'abc')
})

test('a short job overtakes a long one, but only for as long as the long one takes', () => {
  const queue = new JobQueue()
  queue.add(waiting('L', 0), 1000)
  queue.add(waiting('s', 100), 10)
  queue.add(waiting('t', 1200), 10)
  assert.equal(drain(queue), 'sLt')
})

test('who leaves is taken out, the order of the others stays', () => {
  const queue = new JobQueue()
  for (const [index, id] of ['a', 'b', 'c', 'd'].entries()) queue.add(waiting(id, index), 1)
  queue.remove(({ job }) => job.id === 'b' || job.id === 'd')
  assert.equal(queue.length, 2)
  assert.equal(queue.has('b'), false)
  assert.equal(queue.has('c'), true)
  assert.equal(drain(queue), 'ac')
})
