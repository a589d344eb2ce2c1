import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JobEvent } from '@setblock/shared'
import { rowCount } from '../engine/attention-mask.ts'
import { FLAT_COST, job, start, text } from '../testing/scheduler-bench.ts'
import { TOY_STOP } from '../testing/toy-engine.ts'
import { FAILED_STEPS_MAX } from './scheduler.ts'

test('a job gives start, reveals and end with the account of its forwards', async () => {
  const { engine, scheduler, events, stopped } = start()
  const seen = await events(job('a'))
  assert.equal(seen[0]?.type, 'start')
  const end = seen.at(-1)
  assert.equal(end?.type, 'end')
  assert.equal(end.finishReason, 'length')
  assert.equal(end.usage.promptTokens, 3)
  assert.equal(end.usage.completionTokens, 40)
  assert.deepEqual(end.usage.forwardPasses, { prefill: 0, decode: engine.batches.length })
  assert.equal(end.usage.tokensPerForward, 40 / engine.batches.length)
  assert.equal(end.usage.effectiveGamma, 0.35)
  assert.equal(engine.openSequences, 0)
  scheduler.stop()
  await stopped
})

test('jobs run in order of arrival, one at a time', async () => {
  const { scheduler, events, stopped } = start()
  const order: string[] = []
  const note = (id: string) => (event: JobEvent) => {
    if (event.type !== 'reveal') order.push(`${id} ${event.type}`)
  }
  await Promise.all(['a', 'b', 'c'].map((id) => events(job(id), note(id))))
  assert.deepEqual(order, ['a start', 'a end', 'b start', 'b end', 'c start', 'c end'])
  scheduler.stop()
  await stopped
})

test('batched equals alone', async () => {
  const jobs = ['a', 'bb', 'ccc', 'dddd'].map((id, index) =>
    job(id, {
      decoding: {
        mode: (['ntp', 'sbd', 'verified'] as const)[index % 3]!,
        gamma: 0.35,
        blockLength: 8,
        rule: 'strict',
      },
    }),
  )
  const alone = start()
  const expected: number[][] = []
  for (const each of jobs) expected.push(text(await alone.events(each)))
  alone.scheduler.stop()
  const together = start({ runningMax: 3 })
  const actual = await Promise.all(jobs.map((each) => together.events(each)))
  assert.deepEqual(actual.map(text), expected)
  assert.ok(together.engine.batches.some((batch) => batch.length === 3))
  together.scheduler.stop()
  await Promise.all([alone.stopped, together.stopped])
})

test('a cancelled job leaves before the next forward, also while it waits', async () => {
  const { engine, scheduler, events, stopped } = start()
  let forwardsAtCancel = 0
  const waiting = events(job('w'))
  const running = events(job('r'))
  await waiting
  const cancelled = events(job('c'), (event) => {
    if (event.type !== 'reveal' || forwardsAtCancel > 0) return
    forwardsAtCancel = engine.batches.length
    scheduler.cancel('c')
  })
  const queued = events(job('q'))
  scheduler.cancel('q')
  await running
  for (const seen of [await cancelled, await queued]) {
    const last = seen.at(-1)
    assert.equal(last?.type === 'error' && last.code, 'aborted')
  }
  assert.equal(engine.batches.length, forwardsAtCancel)
  assert.equal(engine.openSequences, 0)
  scheduler.stop()
  await stopped
})

test('a deadline ends a job that is late, waiting or running', async () => {
  const { scheduler, events, clock, stopped } = start()
  const running = events(job('r', { deadlineMs: 50 }), (event) => {
    if (event.type === 'reveal') clock.nowMs += 20
  })
  const waiting = events(job('w', { deadlineMs: 10 }))
  for (const seen of await Promise.all([running, waiting])) {
    const last = seen.at(-1)
    assert.equal(last?.type === 'error' && last.code, 'deadline_exceeded')
  }
  scheduler.stop()
  await stopped
})

test('a latency budget raises gamma as far as it must, and no further', async () => {
  const FORWARD_MS = 10
  const decode = async (latencyBudgetMs?: number) => {
    const { scheduler, events, clock, stopped, engine } = start({ missRate: 0.9 })
    engine.onForward = () => (clock.nowMs += FORWARD_MS)
    const change = { maxTokens: 120, ...(latencyBudgetMs && { latencyBudgetMs }) }
    const seen = await events(job('a', change))
    scheduler.stop()
    await stopped
    const end = seen.at(-1)
    assert.equal(end?.type, 'end')
    return { usage: end.usage, tookMs: clock.nowMs }
  }
  const free = await decode()
  assert.equal(free.usage.effectiveGamma, 0.35)
  const raised: number[] = []
  for (const budget of [1.5 * free.tookMs, 0.8 * free.tookMs, 0.5 * free.tookMs, 200]) {
    const { usage, tookMs } = await decode(budget)
    assert.ok(tookMs <= budget, `${tookMs} ms of ${budget}`)
    assert.equal(usage.completionTokens, 120)
    raised.push(usage.effectiveGamma!)
  }
  assert.equal(raised[0], 0.35)
  for (const [index, gamma] of raised.slice(1).entries()) assert.ok(gamma > raised[index]!)
  // Fifteen blocks of eight take a forward each, whatever the budget.
  assert.equal((await decode(1)).tookMs, 15 * FORWARD_MS)
})

test('usage counts rows, and how drafts fared at each place', async () => {
  const { engine, scheduler, events, stopped } = start()
  const verified = { mode: 'verified', gamma: 0, blockLength: 8, rule: 'strict' } as const
  const end = (await events(job('a', { decoding: verified }))).at(-1)
  assert.equal(end?.type, 'end')
  const { rows, drafts, completionTokens, forwardPasses } = end.usage
  const computed = engine.batches.flat().reduce((sum, each) => sum + rowCount(each), 0)
  assert.equal(rows?.total, computed)
  assert.ok(rows.wasted > 0 && rows.wasted < rows.total)
  const { drafted, accepted, positions } = drafts!
  assert.equal(completionTokens, forwardPasses.decode + accepted)
  assert.ok(accepted < drafted)
  for (const [place, counts] of positions.entries()) {
    assert.ok(counts.accepted <= counts.drafted)
    const before = positions[place - 1]
    if (before !== undefined) assert.ok(counts.drafted <= before.drafted)
    if (before !== undefined) assert.ok(counts.accepted <= before.accepted)
  }
  scheduler.stop()
  await stopped
})

test('whichever forward throws, every job is answered once and every sequence is free', async () => {
  for (let failing = 0; failing < 40; failing += 1) {
    const { engine, scheduler, events, stopped, faults } = start({
      failingForwards: new Set([failing]),
      runningMax: 2,
    })
    const all = await Promise.all(['a', 'b', 'c', 'd'].map((id) => events(job(id))))
    const failed = all.filter((seen) => seen.at(-1)?.type === 'error')
    assert.ok(failed.length <= 2)
    assert.equal(faults.length, failed.length > 0 ? 1 : 0)
    if (failing < engine.batches.length) assert.ok(failed.length >= 1, `forward ${failing}`)
    for (const seen of failed) {
      const last = seen.at(-1)
      assert.equal(last?.type === 'error' && last.code, 'internal_error')
    }
    assert.equal(engine.openSequences, 0)
    scheduler.stop()
    await stopped
  }
})

test('forwards that keep failing end the loop, and everybody is told', async () => {
  const failingForwards = new Set(Array.from({ length: FAILED_STEPS_MAX }, (_, index) => index))
  const { events, stopped } = start({ failingForwards })
  const rejected = assert.rejects(stopped, /told to fail/)
  const all = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((id) => events(job(id))))
  for (const seen of all) assert.equal(seen.at(-1)?.type, 'error')
  await rejected
})

test('stop answers those who wait and those who run', async () => {
  const { engine, scheduler, events, stopped } = start()
  const all = ['a', 'b', 'c'].map((id) => events(job(id, { stopTokenIds: [TOY_STOP] })))
  scheduler.stop()
  await stopped
  for (const seen of await Promise.all(all)) {
    const last = seen.at(-1)
    assert.equal(last?.type === 'error' && last.code, 'worker_draining')
  }
  assert.equal(engine.openSequences, 0)
})

test('an engine with too few sequences for the jobs is refused at once', () => {
  assert.throws(() => start({ runningMax: 3, sequencesMax: 2 }), /3 jobs.*2 sequences/)
})

test('an idle scheduler measures on until there is nothing to learn, and serves jobs meanwhile', async () => {
  const asked: boolean[] = []
  let learnt = (): void => undefined
  const done = new Promise<void>((resolve) => {
    learnt = resolve
  })
  const { scheduler, events, stopped } = start({
    measureAgain: (mayGoOn) => {
      asked.push(mayGoOn())
      if (asked.length === 2) learnt()
      return Promise.resolve(asked.length === 1 ? FLAT_COST : undefined)
    },
  })
  const seen = await events(job('a'))
  await done
  assert.deepEqual(text(await events(job('a'))), text(seen))
  assert.deepEqual(asked, [true, true])
  scheduler.stop()
  await stopped
})

for (const costIsRough of [true, false]) {
  const does = costIsRough ? 'measures on now and then' : 'does not measure'
  test(`between the forwards of its streams, one that knows ${costIsRough ? 'little' : 'enough'} ${does}`, async () => {
    let asked = 0
    const { engine, clock, scheduler, events, stopped } = start({
      runningMax: 2,
      costIsRough,
      measureAgain: () => {
        asked += 1
        return Promise.resolve(FLAT_COST)
      },
    })
    engine.onForward = () => {
      clock.nowMs += 500
    }
    const seen = await events(job('a'))
    const forwards = engine.batches.length
    assert.equal(asked, costIsRough ? Math.floor(forwards / 4) : 0)
    assert.equal(text(seen).length, 40)
    scheduler.stop()
    await stopped
  })
}
