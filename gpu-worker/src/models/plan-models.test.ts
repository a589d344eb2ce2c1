import assert from 'node:assert/strict'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { limits } from '@setblock/shared'
import { KV_BYTES_MAX_DEFAULT } from '../engine/kv-pool.ts'
import { buildTinyModel, type TinyModel } from '../testing/tiny-model.ts'
import { planModels, type ModelsRequest } from './plan-models.ts'

let model: TinyModel
let root: string
/** The same model under another id. */
let other: string

before(async () => {
  model = await buildTinyModel()
  root = await mkdtemp(path.join(tmpdir(), 'setblock-plan-'))
  other = path.join(root, 'other')
  await cp(model.folder, other, { recursive: true })
  const file = path.join(other, 'setblock.json')
  const manifest = JSON.parse(await readFile(file, 'utf8')) as object
  await writeFile(file, JSON.stringify({ ...manifest, id: 'other' }))
})
after(async () => {
  await model.remove()
  await rm(root, { recursive: true })
})

const plan = (change: Partial<ModelsRequest> = {}) =>
  planModels({
    modelFolders: [model.folder],
    device: 'auto',
    engines: 1,
    runningMax: 8,
    memoryBytesMax: undefined,
    kvBytesMax: KV_BYTES_MAX_DEFAULT,
    ...change,
  })

test('one model may look for a GPU and use every core', async () => {
  const [only] = await plan()
  assert.partialDeepStrictEqual(only, { device: 'auto', cores: availableParallelism() })
  assert.ok(only!.kvBytesMax > 0 && only!.kvBytesMax < KV_BYTES_MAX_DEFAULT)
})

test('several models share the cores of the CPU and its memory', async () => {
  const modelFolders = [model.folder, other]
  const [one, two] = await plan({ modelFolders })
  const cores = Math.max(1, Math.floor(availableParallelism() / 2))
  for (const each of [one, two]) assert.partialDeepStrictEqual(each, { device: 'cpu', cores })
  const enoughForOne = one!.kvBytesMax
  const shared = await plan({ modelFolders, kvBytesMax: enoughForOne })
  assert.ok(shared.reduce((sum, { kvBytesMax }) => sum + kvBytesMax, 0) <= enoughForOne)
})

test('a GPU serves one model', async () => {
  const refused = plan({ modelFolders: [model.folder, other], device: 'cuda' })
  await assert.rejects(refused, /^ModelError: device cuda: a worker serves one model on a GPU/)
})

test('a model that is given twice is named with both of its folders', async () => {
  const twice = plan({ modelFolders: [model.folder, model.folder] })
  await assert.rejects(twice, /^ModelError: model golden-llama: is in .* and in /)
})

test('a device that the model has no graph for is refused before anything is loaded', async () => {
  await assert.rejects(plan({ device: 'webgpu' }), /has no webgpu graph \(has: cpu int8\)$/)
})

test('memory that holds the weights and not one sequence is not enough', async () => {
  const { length } = await readFile(path.join(model.folder, 'graph.int8.onnx'))
  const refused = plan({ memoryBytesMax: length + 1 })
  await assert.rejects(refused, /^ModelError: memory: golden-llama needs \d+ MiB of weights/)
})

test('a worker serves so many models and no more', async () => {
  const modelFolders = Array.from({ length: limits.workerModelsMax + 1 }, () => model.folder)
  await assert.rejects(
    plan({ modelFolders }),
    /^ModelError: models: 17 are more than a worker's 16$/,
  )
})
