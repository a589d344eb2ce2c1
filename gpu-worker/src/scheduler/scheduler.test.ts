import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { limits, type Job, type JobEvent } from '@setblock/shared'
import { rowCount } from '../engine/attention-mask.ts'
import { TOY_MASK, TOY_STOP, ToyEngine, type ToyOptions } from '../testing/toy-engine.ts'
import { RowCost } from './row-cost.ts'
import { FAILED_STEPS_MAX, Scheduler } from './scheduler.ts'

const job = (id: string, change: Partial<Job> = {}): Job => ({
  id,
  model: 'toy',
  tokenIds: [1, 8 + id.length, 20 + (id.charCodeAt(0) % 20)],
  maxTokens: 40,
  stopTokenIds: [],
  decoding: { mode: 'sbd', gamma: 0.35, blockLength: 8, rule: 'strict' },
  sampling: { temperature: 0, topP: 1, topK: 0, seed: 1 },
  ...change,
})

/** 0.4 ms with one row, 0.5 ms more with 33. */
const FLAT_COST = new RowCost([
  { rows: 1, ms: 0.4 },
  { rows: 33, ms: 0.9 },
])

interface Bench {
  readonly engine: ToyEngine
  readonly scheduler: Scheduler
  /** Submits and resolves with all events of the job when its terminal one has come. */
  readonly events: (job: Job, onEvent?: (event: JobEvent) => void) => Promise<JobEvent[]>
  readonly clock: { nowMs: number }
  readonly stopped: Promise<void>
  readonly faults: unknown[]
}

function start(options: Partial<ToyOptions> & { runningMax?: number } = {}): Bench {
  const engine = new ToyEngine({ missRate: 0.3, ...options })
  const clock = { nowMs: 0 }
  const runningMax = options.runningMax ?? 1
  const now = (): number => clock.nowMs
  const faults: unknown[] = []
  const scheduler = new Scheduler({
    engine,
    maskTokenId: TOY_MASK,
    runningMax,
    cost: FLAT_COST,
    now,
    onFault: (error) => faults.push(error),
  })
  const stopped = scheduler.run()
  const events: Bench['events'] = (submitted, onEvent) =>
    new Promise((resolve) => {
      const seen: JobEvent[] = []
      scheduler.submit(submitted, (event) => {
        assert.ok(!isTerminal(seen.at(-1)), 'an event after the terminal one')
        seen.push(event)
        onEvent?.(event)
        if (isTerminal(event)) setTimeout(resolve, 0, seen)
      })
    })
  return { engine, scheduler, events, clock, stopped, faults }
}

const isTerminal = (event: JobEvent | undefined): boolean =>
  event?.type === 'end' || event?.type === 'error'

const text = (events: readonly JobEvent[]): number[] => {
  const tokens = new Map<number, number>()
  for (const event of events) {
    if (event.type !== 'reveal') continue
    for (const [index, at] of event.positions.entries()) tokens.set(at, event.tokenIds[index]!)
  }
  return [...tokens].sort(([a], [b]) => a - b).map(([, token]) => token)
}

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
  const idle = { running: 0, queued: 0, freeSequences: 2, forwards: 0, rows: 0 }
  assert.deepEqual(scheduler.stats, idle)
  const all = ['a', 'b', 'c'].map((id) => events(job(id)))
  await setImmediate()
  const busy = scheduler.stats
  assert.deepEqual([busy.running, busy.queued, busy.freeSequences], [2, 1, 0])
  await Promise.all(all)
  const rows = engine.batches.flat().reduce((sum, each) => sum + rowCount(each), 0)
  assert.deepEqual(scheduler.stats, { ...idle, forwards: engine.batches.length, rows })
  scheduler.stop()
  await stopped
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
