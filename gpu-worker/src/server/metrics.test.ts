import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Job, JobEvent, Usage } from '@setblock/shared'
import { SessionWorker } from '../testing/session-worker.ts'
import { buildTinyModel, type TinyModel } from '../testing/tiny-model.ts'

const CANARY_TENANT = 'canary-tenant'
const CANARY_SESSION = 'canary-session'

let model: TinyModel
let worker: SessionWorker

before(async () => {
  model = await buildTinyModel()
  worker = await SessionWorker.start({ modelFolder: model.folder, precision: 'int8' })
})

after(async () => {
  await worker.stop()
  await model.remove()
})

const makeJob = (change: Partial<Job> = {}): Job => ({
  id: `job-${Math.random().toString(36).slice(2)}`,
  model: 'golden-llama',
  tokenIds: Array.from({ length: 40 }, (_, index) => 10 + (index % 40)),
  maxTokens: 40,
  stopTokenIds: [],
  decoding: { mode: 'verified', gamma: 0.1, blockLength: 8, rule: 'strict' },
  sampling: { temperature: 0, topP: 1, topK: 0, seed: 1 },
  ...change,
})

/** Series by name and labels, as Prometheus reads them. */
async function scrape(): Promise<Map<string, number>> {
  const lines = (await worker.metrics()).split('\n').filter((line) => /^[a-z]/.test(line))
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ')
      return [line.slice(0, space), Number(line.slice(space + 1))]
    }),
  )
}

const MODEL = 'model="golden-llama"'
const usageOf = (events: readonly JobEvent[]): Usage => {
  const last = events.at(-1)
  assert.ok(last?.type === 'end')
  return last.usage
}

test('what jobs cost is what the metrics say', async () => {
  const decoding = { gamma: 0.35, blockLength: 8, rule: 'strict' } as const
  const usages: Usage[] = []
  for (const mode of ['verified', 'sbd', 'ntp'] as const) {
    const job = makeJob({ decoding: { ...decoding, mode } })
    usages.push(usageOf(await worker.run(job, CANARY_TENANT)))
  }
  const sum = (read: (usage: Usage) => number) =>
    usages.reduce((total, usage) => total + read(usage), 0)
  // The engine thread reports every half second.
  let series = await scrape()
  while ((series.get(`setblock_generation_tokens_total{${MODEL}}`) ?? 0) < 120) {
    series = await scrape()
  }
  const decode = sum(({ forwardPasses }) => forwardPasses.decode)
  assert.equal(series.get(`setblock_forwards_total{${MODEL},phase="decode"}`), decode)
  assert.equal(series.get(`setblock_generation_tokens_total{${MODEL}}`), 120)
  assert.equal(series.get(`setblock_prompt_tokens_total{${MODEL}}`), 120)
  const drafted = sum(({ drafts }) => drafts?.drafted ?? 0)
  assert.equal(series.get(`setblock_spec_decode_num_draft_tokens_total{${MODEL}}`), drafted)
  assert.equal(series.get(`setblock_num_requests_running{${MODEL}}`), 0)
  assert.equal(series.get(`setblock_running_max{${MODEL}}`), 4)
  assert.equal(series.get(`setblock_worker_ready{${MODEL}}`), 1)
  for (const mode of ['verified', 'sbd', 'ntp']) {
    const gamma = mode === 'sbd' ? '0.35' : 'none'
    const perForward = `setblock_tokens_per_forward_count{${MODEL},mode="${mode}",gamma="${gamma}"}`
    assert.equal(series.get(perForward), 1, perForward)
    const first = `setblock_time_to_first_token_seconds_count{${MODEL},mode="${mode}"}`
    assert.equal(series.get(first), 1, first)
    const over = `setblock_jobs_total{${MODEL},mode="${mode}",outcome="length"}`
    assert.equal(series.get(over), 1, over)
  }
  const sbd = usages[1]!
  assert.equal(series.get(`setblock_gamma_effective_sum{${MODEL}}`), sbd.effectiveGamma)
})

test('each engine thread tells what its own heap and arrays take', async () => {
  const series = await scrape()
  const tiny = `{${MODEL},engine="0"}`
  const [heap = 0, external = 0] = ['heap', 'external'].map((each) =>
    series.get(`setblock_engine_${each}_bytes${tiny}`),
  )
  // Keys and values of four sequences are in arrays of the engine's thread.
  assert.ok(heap > 1_000_000, String(heap))
  assert.ok(external > 4 * 4 * 2 ** 10, String(external))
  assert.ok(!series.has(`setblock_engine_heap_bytes{${MODEL},engine="1"}`))
})

test('restores are told by where the keys and values were', async () => {
  const before = await scrape()
  const job = makeJob({ session: { id: CANARY_SESSION, onDisconnect: 'rollback' } })
  await worker.run(job, CANARY_TENANT)
  const known = await worker.run({ ...job, id: 'again' }, CANARY_TENANT)
  const series = await scrape()
  const gained = (name: string) => (series.get(name) ?? 0) - (before.get(name) ?? 0)
  assert.ok(gained(`setblock_kv_blocks_total{result="memory"}`) >= 1)
  assert.ok(gained(`setblock_session_restore_seconds_count{${MODEL},result="memory"}`) >= 1)
  assert.equal(gained(`setblock_session_save_seconds_count{${MODEL}}`), 2)
  assert.equal(usageOf(known).cachedTokens, 32)
})

test('a client that leaves is counted, with the time its job took to end', async () => {
  const cancelled = `setblock_cancel_latency_seconds_count{${MODEL}}`
  const gone = `setblock_jobs_total{${MODEL},mode="ntp",outcome="client-gone"}`
  let series = await scrape()
  // A small job may be done before its client has left: then another one is tried.
  while (!series.has(gone)) {
    const controller = new AbortController()
    const decoding = { mode: 'ntp', gamma: 0, blockLength: 8, rule: 'strict' } as const
    const job = makeJob({ tokenIds: [1], maxTokens: 90, decoding })
    const response = await worker.post('/v1/jobs', job, CANARY_TENANT, controller.signal)
    assert.equal(response.status, 200)
    controller.abort()
    series = await scrape()
  }
  assert.equal(series.get(cancelled), series.get(gone))
  const left = [...series].filter(([name]) => name.startsWith('setblock_disconnects_total'))
  assert.equal(
    left.reduce((sum, [, value]) => sum + value, 0),
    series.get(gone),
  )
})

test('what cannot be taken is counted by its code, and makes no label of what it says', async () => {
  const unknown = makeJob({ model: 'canary-model' })
  await assert.rejects(worker.run(unknown, CANARY_TENANT), /model_not_found/)
  const long = makeJob({ maxTokens: 30_000 })
  await assert.rejects(worker.run(long, CANARY_TENANT), /context_length_exceeded/)
  const series = await scrape()
  for (const code of ['model_not_found', 'context_length_exceeded']) {
    assert.equal(series.get(`setblock_jobs_refused_total{model="none",code="${code}"}`), 1)
  }
})

test('the metrics name no tenant, no session, no job and no unknown model', async () => {
  const text = await worker.metrics()
  assert.doesNotMatch(text, /canary|again/)
  assert.ok(text.length < 200_000)
})
