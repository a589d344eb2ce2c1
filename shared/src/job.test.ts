import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jobEventSchema, jobSchema, type Job, type JobEvent } from './job.ts'
import { limits } from './limits.ts'
import { parseWith } from './parse.ts'

const job: Job = {
  id: 'job-1',
  model: 'setblock-nano',
  tokenIds: [1, 2, 3],
  decoding: { mode: 'verified', gamma: 0.35, blockLength: 16, rule: 'strict' },
  sampling: { temperature: 0, topP: 1, topK: 0, seed: 0 },
  maxTokens: 10,
  stopTokenIds: [],
}

test('a job survives the wire unchanged', () => {
  const full: Job = {
    ...job,
    session: { id: 's', append: { turnEndIds: [2], fillContext: true }, onDisconnect: 'keep' },
    deadlineMs: 1000,
  }
  for (const each of [job, full]) {
    assert.deepEqual(jobSchema.parse(JSON.parse(JSON.stringify(each))), each)
  }
})

const faults: [param: string, change: Record<string, unknown>][] = [
  ['id', { id: '' }],
  ['id', { id: '../x' }],
  ['tokenIds', { tokenIds: [] }],
  ['tokenIds', { tokenIds: Array(limits.promptTokensMax + 1).fill(1) }],
  ['tokenIds[1]', { tokenIds: [1, -1] }],
  ['tokenIds[0]', { tokenIds: [1.5] }],
  ['tokenIds[0]', { tokenIds: [2 ** 31] }],
  ['decoding.mode', { decoding: { ...job.decoding, mode: 'fast' } }],
  ['decoding.gamma', { decoding: { ...job.decoding, gamma: -1 } }],
  ['decoding.gamma', { decoding: { ...job.decoding, gamma: limits.gammaMax + 1 } }],
  ['decoding.gamma', { decoding: { ...job.decoding, gamma: 'low' } }],
  ['decoding.blockLength', { decoding: { ...job.decoding, blockLength: 1 } }],
  ['decoding.blockLength', { decoding: { ...job.decoding, blockLength: 17 } }],
  ['decoding.rule', { decoding: { ...job.decoding, rule: 'lax' } }],
  ['sampling.temperature', { sampling: { ...job.sampling, temperature: 2.1 } }],
  ['sampling.topP', { sampling: { ...job.sampling, topP: 0 } }],
  ['sampling.topK', { sampling: { ...job.sampling, topK: 65 } }],
  ['sampling.seed', { sampling: { ...job.sampling, seed: 2 ** 32 } }],
  ['maxTokens', { maxTokens: 0 }],
  ['stopTokenIds', { stopTokenIds: Array(limits.stopTokenIdsMax + 1).fill(1) }],
  ['deadlineMs', { deadlineMs: 0 }],
  ['session.id', { session: { id: '' } }],
  ['surprise', { surprise: true }],
]
for (const [param, change] of faults) {
  test(`a job is refused for ${param}: ${JSON.stringify(change).slice(0, 60)}`, () => {
    assert.throws(() => parseWith(jobSchema, { ...job, ...change }), { param })
  })
}

const reveal: JobEvent = {
  type: 'reveal',
  block: 0,
  step: 1,
  positions: [7, 4],
  tokenIds: [10, 11],
  entropies: [0.5, 0],
}

test('a reveal may be out of order, but each position needs its token, once', () => {
  assert.deepEqual(jobEventSchema.parse(reveal), reveal)
  const { entropies: _, ...bare } = reveal
  assert.deepEqual(jobEventSchema.parse(bare), bare)
  for (const change of [{ tokenIds: [10] }, { entropies: [1] }, { positions: [4, 4] }]) {
    assert.equal(jobEventSchema.safeParse({ ...reveal, ...change }).success, false)
  }
})

test('fields that a newer worker adds to an event are ignored', () => {
  assert.deepEqual(jobEventSchema.parse({ ...reveal, added: 1 }), reveal)
})

test('an event of unknown type or code is refused', () => {
  const error = { type: 'error', code: 'overloaded', message: 'full', retryable: true }
  assert.equal(jobEventSchema.safeParse(error).success, true)
  assert.equal(jobEventSchema.safeParse({ ...error, code: 'bad_luck' }).success, false)
  assert.equal(jobEventSchema.safeParse({ ...error, type: 'draft' }).success, false)
})
