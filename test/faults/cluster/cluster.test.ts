import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { Random } from '../random.ts'
import { planFaults } from './fault-plan.ts'
import { judge } from './findings.ts'
import { runCluster } from './run-cluster.ts'
import type { Seen } from './stream-client.ts'

test('workers that announce themselves, and an edge, break all the time: every answer ends once, nothing is lost', async (t) => {
  const root = await mkdtemp(path.join(tmpdir(), 'setblock-cluster-'))
  t.after(() => rm(root, { recursive: true, force: true }))
  const report = await runCluster({
    root,
    workers: 2,
    discovery: 'registry',
    faults: 10,
    conversations: 6,
    seed: 11,
    say: (line) => t.diagnostic(line),
  })
  assert.deepEqual(report.violations, {}, report.examples.join('\n'))
  if (!report.disk) t.diagnostic('SKIPPED: a full and a stopped disk (nothing can be mounted here)')
  const { faults = 0, acknowledged = 0, 'skipped-no-disk': skipped = 0 } = report.counts
  assert.equal(faults + skipped, 10 + 2)
  assert.ok(acknowledged > 0)
})

test('a seed makes the same faults again', () => {
  const plan = (seed: number) => planFaults(new Random(seed), 200, 4)
  assert.deepEqual(plan(3), plan(3))
  assert.notDeepEqual(plan(3), plan(4))
  assert.equal(new Set(plan(3).map(({ kind }) => kind)).size, 14)
})

test('the judge sees each broken promise', () => {
  const end = { kind: 'end', version: 1, completion: 3 } as const
  const good: Seen = {
    status: 200,
    text: 'abc',
    numbers: [1, 2, 3],
    lastEventId: 'x-3',
    terminals: [end],
    saidMore: false,
    close: 'end',
    cachedTokens: 0,
    streamId: undefined,
  }
  const retryable = new Set(['worker_unavailable'])
  const found = (change: Partial<Seen>, mayBreak = false) =>
    judge({ ...good, ...change }, { expected: 'abc', retryable, mayBreak })
  const failed = (code: string, shouldRetry = true) =>
    found({ text: 'a', terminals: [{ kind: 'error', code, shouldRetry }] })

  assert.deepEqual(found({}), [])
  assert.deepEqual(found({ terminals: [] }), ['not-one-terminal'])
  assert.deepEqual(found({ terminals: [end, end] }), ['not-one-terminal'])
  assert.deepEqual(found({ saidMore: true }), ['not-one-terminal'])
  assert.deepEqual(found({ text: 'ab' }), ['wrong-text'])
  assert.deepEqual(found({ text: 'b', terminals: [], close: 'left' }), ['wrong-text'])
  assert.deepEqual(found({ numbers: [1, 3] }), ['events-out-of-order'])
  assert.deepEqual(found({ terminals: [], close: 'broken' }), ['broken-without-cause'])
  assert.deepEqual(found({ terminals: [], close: 'broken' }, true), [])
  assert.deepEqual(failed('worker_unavailable'), [])
  assert.deepEqual(failed('worker_unavailable', false), ['untyped-error'])
  assert.deepEqual(failed('internal_error'), ['untyped-error'])
})
