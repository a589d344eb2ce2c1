import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Job, JobEvent, JobSession } from '@setblock/shared'
import { SessionWorker } from '../testing/session-worker.ts'
import { buildTinyModel, type TinyModel } from '../testing/tiny-model.ts'

/** Two models of the same vocabulary and cache layout, so that nothing but care keeps them apart. */
const MODELS = ['golden-llama', 'golden-qwen3'] as const
type ModelId = (typeof MODELS)[number]

const PROMPT = Array.from({ length: 70 }, (_, index) => 20 + ((index * 7) % 100))
/** Whole cache blocks in it. */
const CACHED = 64

let ids = 0
const makeJob = (model: string, tokenIds: number[], session?: JobSession): Job => ({
  id: `job-${(ids += 1)}`,
  model,
  tokenIds,
  maxTokens: 8,
  stopTokenIds: [],
  decoding: { mode: 'verified', gamma: 0.1, blockLength: 8, rule: 'strict' },
  sampling: { temperature: 0, topP: 1, topK: 0, seed: 1 },
  ...(session && { session }),
})

/** The text, and how much of the prompt was known. */
function outcome(events: readonly JobEvent[]): { text: number[]; cached: number } {
  const end = events.at(-1)
  assert.equal(end?.type, 'end', JSON.stringify(end))
  const tokens = events.flatMap((event) =>
    event.type === 'reveal'
      ? event.positions.map((at, index) => [at, event.tokenIds[index]!] as const)
      : [],
  )
  const text = tokens.sort(([a], [b]) => a - b).map(([, token]) => token)
  return { text, cached: end.usage.cachedTokens }
}

describe('two models in one worker', () => {
  const built: TinyModel[] = []
  const alone = new Map<ModelId, number[]>()
  let root: string
  let worker: SessionWorker

  before(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'setblock-two-models-'))
    for (const name of MODELS) built.push(await buildTinyModel(name, 'fp32'))
    for (const [index, { folder }] of built.entries()) {
      const single = await SessionWorker.start({ modelFolder: folder, precision: 'fp32' })
      const id = MODELS[index] as ModelId
      alone.set(id, outcome(await single.run(makeJob(id, PROMPT))).text)
      await single.stop()
    }
    assert.notDeepEqual(alone.get('golden-llama'), alone.get('golden-qwen3'))
    worker = await start()
  })
  after(async () => {
    await worker.stop()
    await rm(root, { recursive: true })
    for (const model of built) await model.remove()
  })

  function start(): Promise<SessionWorker> {
    const [first, second] = built.map(({ folder }) => folder)
    return SessionWorker.start({
      modelFolder: first!,
      otherFolders: [second!],
      precision: 'fp32',
      folder: path.join(root, 'store'),
    })
  }

  test('both are listed, with what runs them and how they stand', async () => {
    const { models } = (await worker.get('/v1/models')) as { models: { id: string }[] }
    assert.deepEqual(
      models.map(({ id }) => id),
      MODELS,
    )
    const ready = await worker.get('/readyz')
    assert.partialDeepStrictEqual(ready, {
      status: 'ready',
      models: MODELS.map((id) => ({ id, device: 'cpu', precision: 'fp32', state: 'ready' })),
    })
    const { memory } = ready as { memory: { rssBytes: number; peakRssBytes: number } }
    assert.ok(memory.rssBytes > 0 && memory.peakRssBytes >= memory.rssBytes)
  })

  test('each answers as it does alone, also at once, and neither reads the other’s cache', async () => {
    const rounds = [MODELS, MODELS.toReversed(), MODELS] as readonly (readonly ModelId[])[]
    for (const [round, order] of rounds.entries()) {
      await Promise.all(
        order.map(async (id) => {
          const { text, cached } = outcome(await worker.run(makeJob(id, PROMPT)))
          assert.deepEqual(text, alone.get(id))
          assert.equal(cached, round === 0 ? 0 : CACHED)
        }),
      )
    }
    const { counts } = worker.sessions.blocks
    assert.deepEqual([counts.corrupt, counts.mismatched], [0, 0])
  })

  test('what both left on disk comes back to each after a restart', async () => {
    await worker.stop()
    worker = await start()
    for (const id of MODELS) {
      const { text, cached } = outcome(await worker.run(makeJob(id, PROMPT)))
      assert.deepEqual(text, alone.get(id))
      assert.equal(cached, CACHED)
    }
    const { counts } = worker.sessions.blocks
    assert.deepEqual([counts.restored, counts.corrupt, counts.mismatched], [4, 0, 0])
  })

  test('a turn on another model than the session’s names the model', async () => {
    const session = { id: 'mine', onDisconnect: 'rollback' } as const
    await worker.run(makeJob('golden-qwen3', PROMPT, session))
    const append = { turnEndIds: [], fillContext: false }
    for (const change of [{}, { append }]) {
      const job = makeJob('golden-llama', [5, 6], { ...session, ...change })
      const refusal = await worker.post('/v1/jobs', job, 'acme')
      assert.equal(refusal.status, 400)
      assert.partialDeepStrictEqual(await refusal.json(), {
        error: {
          code: 'invalid_request',
          param: 'model',
          message: 'model: session mine belongs to the model golden-qwen3',
        },
      })
    }
    const next = await worker.run(makeJob('golden-qwen3', [5, 6], { ...session, append }))
    assert.equal(outcome(next).cached, CACHED)
  })

  test('a model that is not loaded is refused by name', async () => {
    const refusal = await worker.post('/v1/jobs', makeJob('golden-bert', PROMPT), 'acme')
    assert.equal(refusal.status, 404)
    assert.partialDeepStrictEqual(await refusal.json(), {
      error: { code: 'model_not_found', param: 'model' },
    })
  })
})
