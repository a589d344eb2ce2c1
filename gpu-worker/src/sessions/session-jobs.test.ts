import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EndEvent, Job, OnDisconnect } from '@setblock/shared'
import { KvBlocks } from './kv-blocks.ts'
import { MemoryStore } from './memory-store.ts'
import { SessionJobs } from './session-jobs.ts'
import { SessionService } from './session-service.ts'
import { SessionStates } from './session-states.ts'

function setUp() {
  const states = new SessionStates({ store: new MemoryStore(), tokenizerSha256: 't' })
  const sessions = new SessionService({ states, now: () => 0 })
  const blocks = new KvBlocks({
    memoryBytesMax: 1000,
    identity: { graphSha256: 'g', blockLength: 1 },
    secret: new Uint8Array(32),
  })
  return { sessions, jobs: new SessionJobs({ sessions, blocks, contextLength: 100 }) }
}

const jobIn = (id: string, onDisconnect: OnDisconnect): Job => ({
  id: 'job',
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
  const prepared = await jobs.prepare(jobIn('s', 'rollback'), 'tenant')
  prepared.observe(reveal([4, 2], [30, 10]))
  prepared.observe(reveal([3, 5], [20, 40]))
  const end = await prepared.finish(endAfter(3))
  assert.deepEqual(end.session, { id: 's', version: 1 })
  assert.deepEqual((await sessions.get('tenant', 's')).tokenIds, [1, 2, 10, 20, 30])
})

for (const [why, onDisconnect, kept] of [
  ['client-gone', 'keep', [1, 2, 10]],
  ['client-gone', 'rollback', undefined],
  ['failed', 'keep', undefined],
  ['failed', 'continue', undefined],
] as const) {
  test(`a turn abandoned because ${why}, with ${onDisconnect}`, async () => {
    const { sessions, jobs } = setUp()
    const prepared = await jobs.prepare(jobIn('s', onDisconnect), 'tenant')
    prepared.observe(reveal([2, 4], [10, 30]))
    await prepared.abandon(why)
    await jobs.settled()
    if (kept === undefined) await assert.rejects(sessions.get('tenant', 's'), /there is no s/)
    else assert.deepEqual((await sessions.get('tenant', 's')).tokenIds, kept)
    const next = await jobs.prepare(jobIn('s', 'rollback'), 'tenant')
    await next.abandon('failed')
  })
}
