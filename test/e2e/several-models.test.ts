import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startNodeEdge, type NodeEdge } from '../../edge/src/node.ts'
import { buildModel } from '../../gpu-worker/src/model-builder/build-model.ts'
import { JOB_SECRET, WorkerProcess } from '../faults/worker-process.ts'
import { writeTinyCheckpoint, type TinyCheckpoint } from '../support/tiny-checkpoint.ts'

const ADMIN_KEY = 'admin-key-of-this-test-long-enough-to-be-taken'
/** Enough that each worker is the first choice of some. */
const SESSIONS = ['s1', 's2', 's3', 's4', 's5', 's6']

interface Completion {
  readonly model: string
  readonly choices: readonly { readonly text: string }[]
  readonly session?: { readonly version: number }
}

/** Workers that share nothing: one serves two models, the other a third. */
describe('an edge in front of workers with different models', { timeout: 120_000 }, () => {
  const checkpoints: TinyCheckpoint[] = []
  const workers: WorkerProcess[] = []
  let root: string
  let edge: NodeEdge
  let key: string

  async function build(id: string, type: 'llama' | 'qwen3', seed: number): Promise<string> {
    const checkpoint = await writeTinyCheckpoint({ id, type, seed })
    checkpoints.push(checkpoint)
    await buildModel({ folder: checkpoint.folder, targets: ['cpu-int8'] })
    return checkpoint.folder
  }

  before(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'setblock-several-'))
    const one = await build('one', 'llama', 1)
    const two = await build('two', 'qwen3', 2)
    const three = await build('three', 'llama', 3)
    const unloaded = await build('unloaded', 'llama', 4)
    workers.push(
      await WorkerProcess.start({ modelFolder: [one, two].join() }),
      await WorkerProcess.start({ modelFolder: three }),
    )
    edge = await startNodeEdge({
      env: {
        GPU_WORKERS: workers.map(({ url }) => url).join(),
        SETBLOCK_JOB_SECRET: JOB_SECRET,
        SETBLOCK_ADMIN_KEY: ADMIN_KEY,
        SETBLOCK_DATABASE: ':memory:',
        SETBLOCK_MODEL: [one, two, three, unloaded].join(),
        SETBLOCK_EDGE_PORT: '0',
      },
      log: () => undefined,
    })
    const created = await send('POST', '/v1/admin/keys', { tenant: 'acme', name: 'x' }, ADMIN_KEY)
    key = ((await created.json()) as { key: string }).key
  })
  after(async () => {
    await edge.close()
    await Promise.all(workers.map((worker) => worker.stop()))
    await Promise.all(checkpoints.map((checkpoint) => checkpoint.remove()))
    await rm(root, { recursive: true })
  })

  const send = (method: string, route: string, body?: object, as = key): Promise<Response> =>
    fetch(edge.url + route, {
      method,
      headers: { authorization: `Bearer ${as}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    })

  async function complete(model: string, change: object = {}): Promise<Completion> {
    const body = { model, prompt: 'abc', max_tokens: 12, ...change }
    const response = await send('POST', '/v1/completions', body)
    assert.equal(response.status, 200, await response.clone().text())
    return (await response.json()) as Completion
  }

  test('every model that is loaded somewhere is listed, and no other', async () => {
    const { data } = (await (await send('GET', '/v1/models')).json()) as { data: { id: string }[] }
    assert.deepEqual(data.map(({ id }) => id).toSorted(), ['one', 'three', 'two'])
    const refusal = await send('POST', '/v1/completions', { model: 'unloaded', prompt: 'abc' })
    assert.equal(refusal.status, 404)
    assert.partialDeepStrictEqual(await refusal.json(), {
      error: { code: 'model_not_found', param: 'model' },
    })
  })

  test('each answers as itself, whichever worker is asked first', async () => {
    const texts = new Map<string, Set<string | undefined>>()
    for (let round = 0; round < 4; round++) {
      for (const model of ['one', 'two', 'three']) {
        const { choices } = await complete(model)
        texts.set(model, (texts.get(model) ?? new Set()).add(choices[0]?.text))
      }
    }
    const answers = [...texts.values()].map((set) => [...set])
    assert.ok(answers.every(({ length }) => length === 1))
    assert.equal(new Set(answers.flat()).size, 3)
  })

  test('a session lives where its model is, and its turns end there', async () => {
    const whole = (await complete('three')).choices[0]?.text ?? ''
    const stop = whole.slice(2, 5)
    assert.equal(stop.length, 3)
    for (const session of SESSIONS) {
      const first = await complete('three', { session, stop })
      assert.ok(!first.choices[0]?.text.includes(stop))
      const second = await complete('three', { session, append: true })
      const version = second.session?.version ?? 0
      assert.ok(version > (first.session?.version ?? Number.POSITIVE_INFINITY))
      const facts = await send('GET', `/v1/sessions/${session}`)
      assert.partialDeepStrictEqual(await facts.json(), { id: session, version })
    }
  })

  test('no session goes on with another model', async () => {
    const [session = ''] = SESSIONS
    await complete('one', { session: 'of-one' })
    const body = { model: 'two', prompt: 'abc', session: 'of-one', append: true, max_tokens: 4 }
    const refusal = await send('POST', '/v1/completions', body)
    assert.equal(refusal.status, 400)
    assert.partialDeepStrictEqual(await refusal.json(), {
      error: { code: 'invalid_request', param: 'model' },
    })
    assert.equal((await send('DELETE', `/v1/sessions/${session}`)).status, 200)
    assert.equal((await send('GET', `/v1/sessions/${session}`)).status, 404)
  })
})
