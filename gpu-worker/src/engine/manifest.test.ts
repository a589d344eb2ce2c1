import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'

import { loadModel, weightBytes } from './manifest.ts'
import { ModelError } from './model-error.ts'
import { createOnnxEngine } from './onnx-engine.ts'
import { buildModel } from '../model-builder/build-model.ts'
import { writeRandomCheckpoint } from '../testing/random-checkpoint.ts'

let folder: string
let remove: () => Promise<void>
const file = (name: string) => join(folder, name)

before(async () => {
  ;({ folder, remove } = await writeRandomCheckpoint())
})
beforeEach(async () => {
  await buildModel({ folder, targets: ['cpu-int8'] })
})
after(() => remove())

const refuses = (about: RegExp) =>
  assert.rejects(loadModel(folder, 'int8'), (error) => {
    assert.ok(error instanceof ModelError)
    assert.match(error.message, about)
    assert.ok(!error.message.includes('\n'))
    return true
  })

test('loads the manifest and the graph it names', async () => {
  const model = await loadModel(folder, 'int8')
  assert.equal(model.manifest.id, 'random-llama')
  assert.deepEqual(Buffer.from(model.graph), await readFile(file('graph.int8.onnx')))
})

test('refuses a folder without a manifest', async () => {
  await rm(file('setblock.json'))
  await refuses(/^setblock\.json: cannot be read from .* \(ENOENT\)$/)
})

test('refuses a manifest that is not JSON', async () => {
  await writeFile(file('setblock.json'), '{"formatVersion": 1,')
  await refuses(/^\/.*\/setblock\.json: is not valid JSON$/)
})

test('refuses a manifest with a bad field, by its path', async () => {
  const manifest = JSON.parse(await readFile(file('setblock.json'), 'utf8'))
  manifest.architecture.headSize = 'large'
  await writeFile(file('setblock.json'), JSON.stringify(manifest))
  await refuses(/^\/.*\/setblock\.json architecture\.headSize: /)
})

test('refuses a graph that is absent or was never built', async () => {
  await rm(file('graph.int8.onnx'))
  await refuses(/^graph\.int8\.onnx: cannot be read/)
  await assert.rejects(loadModel(folder, 'fp32'), /has no cpu fp32 graph \(has: cpu int8\)/)
})

test('refuses a graph with a single changed byte', async () => {
  const graph = await readFile(file('graph.int8.onnx'))
  graph[graph.length >> 1]! ^= 1
  await writeFile(file('graph.int8.onnx'), graph)
  await refuses(
    /^\/.*\/graph\.int8\.onnx: has sha256 [0-9a-f]{64}, the manifest says [0-9a-f]{64}$/,
  )
})

test('weights outside of the graph are hashed too, and counted', async () => {
  const data = Buffer.from('weights of the graph')
  const sha256 = createHash('sha256').update(data).digest('hex')
  const manifest = JSON.parse(await readFile(file('setblock.json'), 'utf8'))
  manifest.graphs[0].data = [{ file: 'graph.data', bytes: data.length, sha256 }]
  await writeFile(file('setblock.json'), JSON.stringify(manifest))
  await refuses(/^graph\.data: cannot be read from .* \(ENOENT\)$/)
  await writeFile(file('graph.data'), data)
  const model = await loadModel(folder, 'int8')
  assert.equal(weightBytes(model), model.graph.byteLength + data.length)
  await writeFile(file('graph.data'), 'weights of another')
  await refuses(/^\/.*\/graph\.data: has sha256 [0-9a-f]{64}, the manifest says [0-9a-f]{64}$/)
})

test('the engine refuses what is not a graph, and a graph of another contract', async () => {
  const model = await loadModel(folder, 'int8')
  const options = { threads: 1, spinning: false, sequencesMax: 1 }
  const nonsense = { ...model, graph: new TextEncoder().encode('not a graph') }
  await assert.rejects(createOnnxEngine(nonsense, options), ModelError)
  const { architecture } = model.manifest
  const deeper = { ...model.manifest, architecture: { ...architecture, layers: 3 } }
  await assert.rejects(
    createOnnxEngine({ ...model, manifest: deeper }, options),
    /^ModelError: random-llama: its graph has other inputs: build the model again$/,
  )
})
