import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { EndEvent, Job, JobEvent, JobSession } from '@setblock/shared'
import { SessionWorker, type SessionWorkerOptions } from '../testing/session-worker.ts'
import { buildTinyModel, type TinyModel } from '../testing/tiny-model.ts'

const CONTEXT = 96
const prompt = (length: number, first = 20): number[] =>
  Array.from({ length }, (_, index) => first + ((index * 7) % 100))

let ids = 0
const makeJob = (tokenIds: number[], change: Partial<Job> = {}): Job => ({
  id: `job-${(ids += 1)}`,
  model: 'golden-llama',
  tokenIds,
  maxTokens: 8,
  stopTokenIds: [],
  decoding: { mode: 'verified', gamma: 0.1, blockLength: 8, rule: 'strict' },
  sampling: { temperature: 0, topP: 1, topK: 0, seed: 1 },
  ...change,
})
const inSession = (id: string, change: Partial<JobSession> = {}): { session: JobSession } => ({
  session: { id, onDisconnect: 'rollback', ...change },
})
const append = { turnEndIds: [], fillContext: false }

function textOf(events: readonly JobEvent[]): number[] {
  const tokens = events.flatMap((event) =>
    event.type === 'reveal'
      ? event.positions.map((at, index) => [at, event.tokenIds[index]!] as const)
      : [],
  )
  return tokens.sort(([a], [b]) => a - b).map(([, token]) => token)
}

function endOf(events: readonly JobEvent[]): EndEvent {
  const end = events.at(-1)
  assert.equal(end?.type, 'end', JSON.stringify(end))
  return end
}

describe('sessions of a worker, with the real engine', () => {
  let model: TinyModel
  let root: string
  let worker: SessionWorker
  let folders = 0
  const start = (options: Partial<SessionWorkerOptions> = {}) =>
    SessionWorker.start({ modelFolder: model.folder, precision: 'fp32', ...options })

  before(async () => {
    model = await buildTinyModel('golden-llama', 'fp32')
    root = await mkdtemp(path.join(tmpdir(), 'setblock-worker-sessions-'))
    worker = await start()
  })
  after(async () => {
    await worker.stop()
    await rm(root, { recursive: true })
    await model.remove()
  })

  test('a second turn, whole or appended, computes only what is new and says the same', async () => {
    const first = await worker.run(makeJob(prompt(60), inSession('two-turns')))
    assert.deepEqual(endOf(first).session, { id: 'two-turns', version: 1 })
    assert.equal(endOf(first).usage.cachedTokens, 0)
    const history = [...prompt(60), ...textOf(first)]
    const { sessions } = await worker.call({ operation: 'get', id: 'two-turns' })
    assert.equal(sessions[0]?.tokens, history.length)

    const fresh = await start()
    const expected = textOf(await fresh.run(makeJob([...history, 5, 6, 7])))
    await fresh.stop()
    const fork = await worker.call({ operation: 'fork', id: 'two-turns', newId: 'forked' })
    assert.equal(fork.sessions[0]?.tokens, history.length)
    const appended = await worker.run(makeJob([5, 6, 7], inSession('two-turns', { append })))
    const whole = await worker.run(makeJob([...history, 5, 6, 7], inSession('forked')))
    for (const events of [appended, whole]) {
      assert.deepEqual(textOf(events), expected)
      assert.equal(endOf(events).usage.cachedTokens, 64)
      assert.equal(endOf(events).usage.promptTokens, history.length + 3)
    }
    assert.equal(endOf(appended).session?.version, 2)
  })

  for (const mode of ['ntp', 'verified', 'sbd'] as const) {
    test(`${mode}: what is restored from disk says the same as what is computed`, async () => {
      const folder = path.join(root, String((folders += 1)))
      const decoding = { mode, gamma: 0.5, blockLength: 8, rule: 'strict' } as const
      const before = await start({ folder })
      const first = await before.run(makeJob(prompt(50), { decoding, ...inSession('s') }))
      await before.stop()

      const [next, fresh] = [await start({ folder }), await start()]
      const again = await next.run(makeJob([9, 8], { decoding, ...inSession('s', { append }) }))
      const computed = await fresh.run(
        makeJob([...prompt(50), ...textOf(first), 9, 8], { decoding }),
      )
      assert.deepEqual(textOf(again), textOf(computed))
      assert.equal(endOf(again).usage.cachedTokens, 32)
      assert.equal(next.sessions.blocks.counts.restored, 1)
      assert.deepEqual(endOf(again).session, { id: 's', version: 2 })
      await Promise.all([next.stop(), fresh.stop()])
    })
  }

  test('a shared beginning is computed once for a tenant and never shared with another', async () => {
    const own = await start()
    await own.run(makeJob([...prompt(40), 1]), 'one')
    const again = await own.run(makeJob([...prompt(40), 2]), 'one')
    const other = await own.run(makeJob([...prompt(40), 2]), 'two')
    assert.equal(endOf(again).usage.cachedTokens, 32)
    assert.equal(endOf(other).usage.cachedTokens, 0)
    assert.deepEqual(textOf(again), textOf(other))
    await own.stop()
  })

  test('without memory or folder nothing is reused, and nothing is wrong', async () => {
    const bare = await start({ memoryBytesMax: 0 })
    const first = await bare.run(makeJob(prompt(60), inSession('s')))
    const second = await bare.run(makeJob([5], inSession('s', { append })))
    assert.equal(endOf(second).usage.cachedTokens, 0)
    assert.equal(endOf(second).usage.promptTokens, 60 + textOf(first).length + 1)
    await bare.stop()
  })

  test('one turn at a time; another tenant knows nothing of it', async () => {
    const long = makeJob(prompt(20), { maxTokens: CONTEXT - 20, ...inSession('busy') })
    assert.equal(endOf(await worker.run(long)).session?.version, 1)
    // An engine is done within milliseconds; this job goes no further than its turn.
    const { session } = worker.models.find('golden-llama')
    const begun = await worker.sessions.jobs.prepare(
      makeJob([1], inSession('busy')),
      'acme',
      session,
    )
    await assert.rejects(worker.run(makeJob([1], inSession('busy'))), /session_busy/)
    await assert.rejects(worker.call({ operation: 'delete', id: 'busy' }), /session_busy/)
    await assert.rejects(worker.call({ operation: 'get', id: 'busy' }, 'other'), /not_found/)
    assert.equal(endOf(await worker.run(makeJob([1], inSession('busy')), 'other')).type, 'end')
    const { sessions } = await worker.call({ operation: 'get', id: 'busy' })
    assert.equal(sessions[0]?.tokens, CONTEXT)
    await begun.abandon('failed')
    assert.equal(endOf(await worker.run(makeJob([1], inSession('busy')))).session?.version, 2)
  })

  for (const [onDisconnect, left] of [
    ['rollback', { version: 1, tokens: 18 }],
    ['keep', { version: 2, tokens: 19 }],
    ['continue', { version: 2, tokens: 29 }],
  ] as const) {
    test(`a client that leaves before its first token, with ${onDisconnect}`, async () => {
      const slow = await start({ runningMax: 1 })
      await slow.run(makeJob(prompt(10), inSession('s')))
      const ahead = Array.from({ length: 12 }, () =>
        slow.run(makeJob(prompt(10), { maxTokens: CONTEXT - 10 })),
      )
      const leaver = new AbortController()
      const job = makeJob([7], { maxTokens: 10, ...inSession('s', { append, onDisconnect }) })
      await slow.post('/v1/jobs', job, 'acme', leaver.signal)
      leaver.abort()
      await Promise.all([...ahead, slow.sessions.jobs.settled()])
      const { sessions } = await slow.call({ operation: 'get', id: 's' })
      const { version, tokens } = sessions[0]!
      assert.deepEqual({ version, tokens }, left)
      await slow.stop()
    })
  }

  test('a turn that would not fit is refused and leaves the session free', async () => {
    await worker.run(makeJob(prompt(60), inSession('full')))
    const more = makeJob(prompt(30), inSession('full', { append }))
    await assert.rejects(worker.run(more), /context_length_exceeded/)
    assert.equal(endOf(await worker.run(makeJob([1], inSession('full')))).session?.version, 2)
  })

  test('calls about sessions: create, list in pages, delete, and again', async () => {
    const tenant = 'calls'
    for (const id of ['a', 'b', 'c']) {
      const { sessions } = await worker.call({ operation: 'create', id, ttlMs: 60_000 }, tenant)
      const [facts] = sessions
      assert.deepEqual([facts?.id, facts?.version, facts?.tokens], [id, 1, 0])
      assert.ok(Math.abs(facts!.expiresMs - Date.now() - 60_000) < 30_000)
    }
    const page = await worker.call({ operation: 'list', count: 2 }, tenant)
    assert.deepEqual([page.sessions.map(({ id }) => id), page.next], [['a', 'b'], 'b'])
    await assert.rejects(worker.call({ operation: 'create', id: 'a' }, tenant), /session_exists/)
    await assert.rejects(
      worker.call({ operation: 'delete', id: 'a', ifVersion: 9 }, tenant),
      /session_conflict/,
    )
    await worker.call({ operation: 'delete', id: 'a', ifVersion: 1 }, tenant)
    await assert.rejects(worker.call({ operation: 'get', id: 'a' }, tenant), /session_not_found/)
    const rest = await worker.call({ operation: 'list' }, tenant)
    assert.deepEqual(
      rest.sessions.map(({ id }) => id),
      ['b', 'c'],
    )
  })
})
