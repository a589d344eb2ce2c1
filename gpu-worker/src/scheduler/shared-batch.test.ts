import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { limits, type JobEvent, type Usage } from '@setblock/shared'
import { rowCount } from '../engine/attention-mask.ts'
import { FLAT_COST, isTerminal, job, start, text } from '../testing/scheduler-bench.ts'
import { noTotals } from './step-totals.ts'

const usageOf = (events: readonly JobEvent[]): Usage => {
  const last = events.at(-1)
  assert.ok(last?.type === 'end')
  return last.usage
}

const prompt = (length: number): number[] =>
  Array.from({ length }, (_, index) => 8 + ((index * 7) % 40))

test('batched equals alone: long prompts, sampling and every mode, joining at different times', async () => {
  const modes = ['ntp', 'sbd', 'verified'] as const
  const jobs = Array.from({ length: 9 }, (_, index) =>
    job(`job-${index}`, {
      tokenIds: prompt(3 + 61 * index),
      maxTokens: 10 + 7 * index,
      decoding: { mode: modes[index % 3]!, gamma: 0.35, blockLength: 8, rule: 'strict' },
      sampling: { temperature: index % 2, topP: 0.9, topK: 0, seed: index },
    }),
  )
  const alone = start()
  const expected: number[][] = []
  for (const each of jobs) expected.push(text(await alone.events(each)))
  alone.scheduler.stop()
  const together = start({ runningMax: 4 })
  const actual: Promise<JobEvent[]>[] = []
  for (const each of jobs) {
    actual.push(together.events(each))
    await setImmediate()
  }
  assert.deepEqual((await Promise.all(actual)).map(text), expected)
  const phases = together.engine.batches.map(
    (batch) => new Set(batch.map((rows) => rows.readTail > 0 || rows.groups.length > 0)),
  )
  assert.ok(
    phases.some((kinds) => kinds.size === 2),
    'no prompt chunk rode beside a stream',
  )
  together.scheduler.stop()
  await Promise.all([alone.stopped, together.stopped])
})

test('a long prompt does not stall a stream, nor make a short job wait', async () => {
  const { engine, scheduler, events, stopped } = start({ runningMax: 3 })
  const order: string[] = []
  const note = (id: string) => (event: JobEvent) => {
    if (event.type === 'reveal') order.push(id)
  }
  const ntp = { mode: 'ntp', gamma: 0, blockLength: 8, rule: 'strict' } as const
  const stream = events(job('stream', { decoding: ntp, maxTokens: 300 }), note('stream'))
  while (order.length < 5) await setImmediate()
  const before = engine.batches.length
  const long = events(job('long', { tokenIds: prompt(2000), decoding: ntp }), note('long'))
  const short = events(job('short', { tokenIds: prompt(20), decoding: ntp }), note('short'))
  await Promise.all([stream, long, short])
  const during = engine.batches.slice(before, before + order.indexOf('long') - 5)
  for (const batch of during) {
    assert.ok(
      batch.some(({ sequence }) => sequence === 0),
      'the stream sat a forward out',
    )
    const rows = batch.reduce((sum, each) => sum + rowCount(each), 0)
    assert.ok(FLAT_COST.ms(rows) <= 3.1 * FLAT_COST.ms(2), `${rows} rows beside a stream`)
  }
  const streamed = order.slice(0, order.indexOf('long')).filter((id) => id === 'stream').length
  assert.ok(streamed > 20, `${streamed} tokens of the stream before the long prompt was done`)
  assert.ok(order.indexOf('short') - 5 <= 4, 'the short job waited for the long one')
  scheduler.stop()
  await stopped
})

test('a short job takes the next free sequence before a long one that came just ahead', async () => {
  const { scheduler, events, stopped } = start()
  const ends: string[] = []
  const end = (id: string) => (event: JobEvent) => void (isTerminal(event) && ends.push(id))
  const first = events(job('first'), end('first'))
  await setImmediate()
  await Promise.all([
    first,
    events(job('long', { maxTokens: 2000 }), end('long')),
    events(job('short', { maxTokens: 5 }), end('short')),
  ])
  assert.deepEqual(ends, ['first', 'short', 'long'])
  scheduler.stop()
  await stopped
})

test('whoever waits too long for a sequence is told that the worker is overloaded', async () => {
  const { engine, scheduler, events, clock, stopped } = start()
  engine.onForward = () => (clock.nowMs += limits.queueTimeMsMax / 10)
  const [running, waiting] = await Promise.all([events(job('r')), events(job('w'))])
  const [last, refused] = [running.at(-1), waiting.at(-1)]
  assert.equal(last?.type, 'end')
  assert.equal(refused?.type === 'error' && refused.code, 'overloaded')
  assert.equal(refused?.type === 'error' && refused.retryable, true)
  scheduler.stop()
  await stopped
})

test('a job cancelled within its prompt gives its sequence back before the next forward', async () => {
  const { engine, scheduler, events, stopped } = start({ runningMax: 2 })
  const beside = events(job('b', { maxTokens: 200 }))
  const cancelled = events(job('c', { tokenIds: prompt(3000) }))
  while (engine.openSequences < 2 || engine.batches.length < 3) await setImmediate()
  scheduler.cancel('c')
  const forwards = engine.batches.length
  const last = (await cancelled).at(-1)
  assert.equal(last?.type === 'error' && last.code, 'aborted')
  for (const batch of engine.batches.slice(forwards + 1)) assert.equal(batch.length, 1)
  assert.equal((await beside).at(-1)?.type, 'end')
  assert.equal(engine.openSequences, 0)
  scheduler.stop()
  await stopped
})

test('many streams shorten their drafts', async () => {
  const verified = { mode: 'verified', gamma: 0, blockLength: 16, rule: 'strict' } as const
  const rowsOf = async (count: number): Promise<number> => {
    const { engine, scheduler, events, stopped } = start({
      runningMax: 16,
      sequencesMax: 16,
      missRate: 0.15,
    })
    const jobs = Array.from({ length: count }, (_, index) =>
      events(job(`j${index}`, { tokenIds: [1, 8 + index], decoding: verified, maxTokens: 150 })),
    )
    await Promise.all(jobs)
    scheduler.stop()
    await stopped
    const full = engine.batches.filter((batch) => batch.length === count)
    const rows = full.flat().reduce((sum, each) => sum + rowCount(each), 0)
    return rows / full.length / count
  }
  const [one, four, sixteen] = [await rowsOf(1), await rowsOf(4), await rowsOf(16)]
  assert.ok(four < one && sixteen < 0.7 * four, `${one}, ${four}, ${sixteen} rows a stream`)
})

test('stats add up', async () => {
  const { engine, scheduler, events, stopped } = start({ runningMax: 2 })
  const idle = { running: 0, queued: 0, freeSequences: 2, cachedTokens: 0, forwards: 0, rows: 0 }
  assert.deepEqual(scheduler.stats, { ...idle, totals: noTotals() })
  const all = ['a', 'b', 'c'].map((id) => events(job(id)))
  await setImmediate()
  const busy = scheduler.stats
  assert.deepEqual([busy.running, busy.queued, busy.freeSequences], [2, 1, 0])
  const usages = (await Promise.all(all)).map((seen) => usageOf(seen))
  const rows = engine.batches.flat().reduce((sum, each) => sum + rowCount(each), 0)
  const { totals, ...stats } = scheduler.stats
  assert.deepEqual(stats, { ...idle, forwards: engine.batches.length, rows })
  const sum = (read: (usage: Usage) => number) =>
    usages.reduce((total, usage) => total + read(usage), 0)
  assert.equal(
    totals.prefillForwards,
    sum(({ forwardPasses }) => forwardPasses.prefill),
  )
  assert.equal(
    totals.decodeForwards,
    sum(({ forwardPasses }) => forwardPasses.decode),
  )
  assert.equal(
    totals.wastedRows,
    sum((usage) => usage.rows!.wasted),
  )
  assert.equal(
    totals.revealedTokens,
    sum(({ completionTokens }) => completionTokens),
  )
  scheduler.stop()
  await stopped
})
