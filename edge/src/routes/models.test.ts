import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closedUrl, startFakeWorker } from '../test-support/fake-worker.ts'
import { startHarness, staticSources, TEST_LIMITS } from '../test-support/harness.ts'
import { TINY_LOADED } from '../test-support/tiny-model.ts'

const idsOf = async (response: Response): Promise<string[]> => {
  assert.equal(response.status, 200)
  const { data } = (await response.json()) as { data: { id: string }[] }
  return data.map(({ id }) => id)
}

test('a model is listed when a worker has loaded it, and only then', async (t) => {
  const other = { id: 'other', tokenizerSha256: '0'.repeat(64) }
  const empty = await startHarness(t, { models: [other] })
  assert.deepEqual(await idsOf(await empty.get('/v1/models')), [])
  assert.equal((await empty.get('/v1/models/tiny')).status, 404)

  const full = await startFakeWorker({ models: [other, ...TINY_LOADED] })
  t.after(() => full.close())
  const closed = await closedUrl()
  const { get } = await startHarness(t, {
    models: [],
    sources: (own) => staticSources([own, closed, full.url]),
  })
  assert.deepEqual(await idsOf(await get('/v1/models')), ['tiny'])
})

test('a model whose tokenizer is not the edge’s is not listed', async (t) => {
  const { get } = await startHarness(t, {
    models: [{ id: 'tiny', tokenizerSha256: 'f'.repeat(64) }],
  })
  assert.deepEqual(await idsOf(await get('/v1/models')), [])
})

test('workers are asked again when their answer is old', async (t) => {
  const models: { id: string; tokenizerSha256: string }[] = []
  const limits = { ...TEST_LIMITS, modelListMs: 0 }
  const { get } = await startHarness(t, { models, limits })
  assert.deepEqual(await idsOf(await get('/v1/models')), [])
  models.push(...TINY_LOADED)
  assert.deepEqual(await idsOf(await get('/v1/models')), ['tiny'])

  const later: { id: string; tokenizerSha256: string }[] = []
  const patient = await startHarness(t, { models: later, limits: { ...limits, modelListMs: 1e9 } })
  assert.deepEqual(await idsOf(await patient.get('/v1/models')), [])
  later.push(...TINY_LOADED)
  assert.deepEqual(await idsOf(await patient.get('/v1/models')), [])
})

test('without any worker it is not known what is loaded', async (t) => {
  const closed = await closedUrl()
  const { get } = await startHarness(t, { sources: () => staticSources([closed]) })
  const response = await get('/v1/models')
  assert.equal(response.status, 503)
  assert.equal(response.headers.get('x-should-retry'), 'true')
})
