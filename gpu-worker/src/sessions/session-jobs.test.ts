import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EndEvent, Job, OnDisconnect } from '@setblock/shared'
import { KvBlocks } from './kv-blocks.ts'
import { MemoryStore } from './memory-store.ts'
import { SessionJobs } from './session-jobs.ts'
import type { SessionModel } from './session-model.ts'
import { SessionService } from './session-service.ts'
import { SessionStates } from './session-states.ts'

const model: SessionModel = {
  id: 'm',
  contextLength: 100,
  tokenizerSha256: 't',
  kv: { graphSha256: 'g', blockLength: 1 },
}

function setUp() {
  const states = new SessionStates({ store: new MemoryStore() })
  const sessions = new SessionService({ states, now: () => 0 })
  const blocks = new KvBlocks({
    memoryBytesMax: 1000,
    secret: new Uint8Array(32),
  })
  return { sessions, jobs: new SessionJobs({ sessions, blocks }) }
}

const jobIn = (id: string, onDisconnect: OnDisconnect, jobId = 'job'): Job => ({
  id: jobId,
  model: 'm',
  tokenIds: [1, 2],
  maxTokens: 10,
  stopTokenIds: [],
  decoding: { mode: 'sbd', gamma: 0.1, blockLength: 8, rule: 'strict' },
  sampling: { temperature: 0, topP: 1, topK: 0, seed: 1 },
  session: { id, onDisconnect },
})

const reveal = (positions: number[], tokenIds: number[]) =>
  ({ type: 'reveal', block: 0, step: 0, positions, tokenIds }) as const

const endAfter = (completionTokens: number): EndEvent => ({
  type: 'end',
  finishReason: 'stop',
  usage: {
    promptTokens: 2,
    cachedTokens: 0,
    completionTokens,
    forwardPasses: { prefill: 0, decode: 1 },
    tokensPerForward: completionTokens,
    queueMs: 0,
    prefillMs: 0,
    decodeMs: 0,
    effectiveGamma: null,
  },
})

test('a finished turn holds the prompt and the text up to its end, nothing revealed beyond', async () => {
  const { sessions, jobs } = setUp()
  const prepared = await jobs.prepare(jobIn('s', 'rollback'), 'tenant', model)
  prepared.observe(reveal([4, 2], [30, 10]))
  prepared.observe(reveal([3, 5], [20, 40]))
  const end = await prepared.finish(endAfter(3))
  assert.deepEqual(end.session, { id: 's', version: 1 })
  assert.deepEqual((await sessions.get('tenant', 's')).tokenIds, [1, 2, 10, 20, 30])
})

test('a turn ends where its text ended, whether its job is running or over', async () => {
  const { sessions, jobs } = setUp()
  const running = await jobs.prepare(jobIn('s', 'rollback'), 'tenant', model)
  running.observe(reveal([2, 3, 4], [10, 20, 30]))
  const cut = { id: 's', jobId: 'job', tokens: 4 }
  const ended = jobs.endTurn('tenant', cut, () => void running.abandon('client-gone'))
  assert.equal((await ended).version, 1)
  assert.deepEqual((await ended).tokenIds, [1, 2, 10, 20])

  const over = await jobs.prepare(jobIn('s', 'rollback', 'job-2'), 'tenant', model)
  over.observe(reveal([2, 3, 4], [10, 20, 30]))
  await over.finish(endAfter(3))
  const after = await jobs.endTurn('tenant', { ...cut, jobId: 'job-2' }, assert.fail)
  assert.deepEqual([after.version, after.tokenIds], [3, [1, 2, 10, 20]])
  const again = await jobs.endTurn('tenant', { ...cut, jobId: 'another', tokens: 1 }, assert.fail)
  assert.equal(again.version, 3)
  await assert.rejects(jobs.endTurn('other', cut, assert.fail), /there is no s/)
  assert.deepEqual((await sessions.get('tenant', 's')).tokenIds, [1, 2, 10, 20])
})

test('an appended turn without a bound of its own fills the context', async () => {
  const { jobs } = setUp()
  const first = await jobs.prepare(jobIn('s', 'rollback'), 'tenant', model)
  await first.finish(endAfter(0))
  const session = { id: 's', onDisconnect: 'rollback' } as const
  const next = (fillContext: boolean): Job => ({
    ...jobIn('s', 'rollback', 'job-2'),
    maxTokens: 97,
    session: { ...session, append: { turnEndIds: [], fillContext } },
  })
  await assert.rejects(jobs.prepare(next(false), 'tenant', model), /exceed the context of 100/)
  const filled = await jobs.prepare(next(true), 'tenant', model)
  assert.equal(filled.job.maxTokens, 96)
  await filled.abandon('failed')
})

for (const [why, onDisconnect, kept] of [
  ['client-gone', 'keep', [1, 2, 10]],
  ['client-gone', 'rollback', undefined],
  ['failed', 'keep', undefined],
  ['failed', 'continue', undefined],
] as const) {
  test(`a turn abandoned because ${why}, with ${onDisconnect}`, async () => {
    const { sessions, jobs } = setUp()
    const prepared = await jobs.prepare(jobIn('s', onDisconnect), 'tenant', model)
    prepared.observe(reveal([2, 4], [10, 30]))
    await prepared.abandon(why)
    await jobs.settled()
    if (kept === undefined) await assert.rejects(sessions.get('tenant', 's'), /there is no s/)
    else assert.deepEqual((await sessions.get('tenant', 's')).tokenIds, kept)
    const next = await jobs.prepare(jobIn('s', 'rollback'), 'tenant', model)
    await next.abandon('failed')
  })
}
