import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Job, JobEvent } from '@setblock/shared'
import { EngineClient } from './engine-client.ts'
import { sumCounts } from './sum-counts.ts'
import { buildTinyModel, type TinyModel } from '../testing/tiny-model.ts'

const JOBS = 6

function jobOf(index: number): Job {
  return {
    id: `job-${index}`,
    model: 'golden-llama',
    tokenIds: [5, 9 + index, 17, 3],
    decoding: { mode: 'ntp', gamma: 0.35, blockLength: 4, rule: 'strict' },
    sampling: { temperature: 0, topP: 1, topK: 0, seed: 0 },
    maxTokens: 24,
    stopTokenIds: [],
  }
}

/** The tokens of a job, in order; rejects with its error. */
function generate(engine: EngineClient, job: Job): Promise<number[]> {
  const tokens: number[] = []
  return new Promise((resolve, reject) => {
    engine.submit(job, (event: JobEvent) => {
      if (event.type === 'reveal') tokens.push(...event.tokenIds)
      if (event.type === 'error') reject(new Error(event.message))
      if (event.type === 'end') resolve(tokens)
    })
  })
}

describe('a model in several engine threads', () => {
  let model: TinyModel

  before(async () => {
    model = await buildTinyModel()
  })

  after(() => model.remove())

  function start(engines: number, queueLengthMax: number): Promise<EngineClient> {
    const thread = { threads: 1, spinning: false, engines, runningMax: 1, queueLengthMax }
    return EngineClient.start({ modelFolder: model.folder, precision: 'int8', ...thread })
  }

  test('runs as many jobs at once as there are engines, with the texts of one engine', async () => {
    const one = await start(1, JOBS)
    const three = await start(3, JOBS - 3)
    const jobs = Array.from({ length: JOBS }, (_, index) => jobOf(index))
    const expected = await Promise.all(jobs.map((job) => generate(one, job)))
    three.assertOpen()
    const got = jobs.map((job) => generate(three, job))
    assert.throws(() => three.assertOpen(), { code: 'overloaded' })
    assert.throws(() => three.submit(jobOf(JOBS), () => undefined), { code: 'overloaded' })
    assert.deepEqual(await Promise.all(got), expected)
    assert.equal(three.activeJobs, 0)
    await Promise.all([one.drain(1000), three.drain(1000)])
    await Promise.all([one.ended, three.ended])
  })

  test('a drain lets the jobs of all engines end', async () => {
    const engine = await start(2, 2)
    const jobs = [0, 1, 2, 3].map((index) => generate(engine, jobOf(index)))
    const drained = engine.drain(60_000)
    const texts = await Promise.all(jobs)
    assert.ok(texts.every((tokens) => tokens.length === 24))
    await drained
    assert.throws(() => engine.submit(jobOf(9), () => undefined), { code: 'worker_draining' })
    assert.throws(() => engine.assertOpen(), { code: 'worker_draining' })
  })
})

test('counts of several engines add up, nested ones too', () => {
  const record = (n: number) => ({ running: n, totals: { forwards: 10 * n } })
  assert.deepEqual(sumCounts([record(1), record(2)]), { running: 3, totals: { forwards: 30 } })
})
