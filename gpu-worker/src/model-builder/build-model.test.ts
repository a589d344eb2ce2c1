import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'

import { buildModel } from './build-model.ts'
import type { BuildProgress, BuildRequest } from './build-model.ts'
import { LOCK_FILE, lockFolder } from './folder-lock.ts'
import { loadModel } from '../engine/manifest.ts'
import { ModelError } from '../engine/model-error.ts'
import { createOnnxEngine } from '../engine/onnx-engine.ts'
import { writeRandomCheckpoint } from '../testing/random-checkpoint.ts'

let folder: string
let out: string
let remove: () => Promise<void>
beforeEach(async () => {
  ;({ folder, remove } = await writeRandomCheckpoint())
  out = join(await mkdtemp(join(tmpdir(), 'setblock-build-')), 'model')
})
afterEach(async () => {
  await remove()
  await rm(join(out, '..'), { recursive: true })
})

const edit = async (file: string, change: object) => {
  const path = join(folder, file)
  const json = JSON.parse(await readFile(path, 'utf8'))
  await writeFile(path, JSON.stringify({ ...json, ...change }))
}

const build = (change: Partial<BuildRequest> = {}) =>
  buildModel({ folder, targets: ['cpu-int8'], ...change })

const refuses = (about: RegExp, change: Partial<BuildRequest> = {}) =>
  assert.rejects(build(change), (error) => {
    assert.ok(error instanceof ModelError, String(error))
    assert.match(error.message, about)
    assert.ok(!error.message.includes('\n'))
    return true
  })

test('writes the graph and the manifest and nothing else, the same bytes each time', async () => {
  const before = await readdir(folder)
  await build()
  const added = (await readdir(folder)).filter((file) => !before.includes(file))
  assert.deepEqual(added.sort(), ['graph.int8.onnx', 'setblock.json'])
  const manifest = await readFile(join(folder, 'setblock.json'), 'utf8')
  await build()
  assert.equal(await readFile(join(folder, 'setblock.json'), 'utf8'), manifest)
})

test('writes a folder of its own with all that serving needs', async () => {
  const progress: BuildProgress[] = []
  const report = await build({
    out,
    targets: ['fp32', 'cpu-int8'],
    onProgress: (each) => progress.push(each),
  })
  const files = ['graph.fp32.onnx', 'graph.int8.onnx', 'setblock.json']
  assert.deepEqual((await readdir(out)).sort(), [
    ...files,
    'tokenizer.json',
    'tokenizer_config.json',
  ])
  assert.deepEqual(
    report.manifest.graphs.map((graph) => graph.file),
    ['graph.int8.onnx', 'graph.fp32.onnx'],
  )
  const last = (stage: string) => progress.findLast((each) => each.stage === stage)!
  for (const stage of ['digest', 'graph.fp32.onnx', 'graph.int8.onnx']) {
    assert.equal(last(stage).bytesDone, last(stage).bytesTotal)
  }
})

test('keeps the graph of the other precision as long as it is of the same model', async () => {
  await build()
  await build({ targets: ['fp32'] })
  const { manifest } = await loadModel(folder, 'int8')
  assert.deepEqual(
    manifest.graphs.map((graph) => graph.precision),
    ['int8', 'fp32'],
  )
  await edit('setblock.source.json', { maskTokenId: 4 })
  await build({ targets: ['fp32'] })
  await assert.rejects(loadModel(folder, 'int8'), /has no cpu int8 graph/)
})

test('large weights lie beside the graph, and the engine computes the same with them', async () => {
  await build()
  await build({ out, inlineBytesMax: 0 })
  assert.ok((await readdir(out)).includes('graph.int8.onnx.data'))
  const forward = async (modelFolder: string) => {
    const model = await loadModel(modelFolder, 'int8')
    const engine = await createOnnxEngine(model, { threads: 1, spinning: false, sequencesMax: 1 })
    const sequence = engine.open()
    const rows = {
      tail: [5, 6, 7, 8],
      groups: [],
      readTail: 4,
      entropies: 'all',
      top: 'all',
    } as const
    const results = await engine.forward([{ sequence, ...rows }])
    await engine.dispose()
    return results
  }
  assert.deepEqual(await forward(out), await forward(folder))

  const data = await readFile(join(out, 'graph.int8.onnx.data'))
  data[data.length - 1]! ^= 1
  await writeFile(join(out, 'graph.int8.onnx.data'), data)
  await assert.rejects(
    loadModel(out, 'int8'),
    /^ModelError: \/.*\/graph\.int8\.onnx\.data: has sha256/,
  )
})

test('refuses a checkpoint that contradicts its configuration, naming the tensor', async () => {
  await edit('config.json', { intermediate_size: 50 })
  await refuses(/^model\.layers\.0\.mlp\.gate_proj\.weight: shape is \[48, 32\], .* \[50, 32\]$/)
  await edit('config.json', { intermediate_size: 48, tie_word_embeddings: false })
  await refuses(/^lm_head\.weight: tensor is missing from model\.safetensors$/)
  await edit('config.json', { tie_word_embeddings: true, attention_bias: true })
  await refuses(/^model\.layers\.0\.self_attn\.q_proj\.bias: tensor is missing/)
  await edit('config.json', { attention_bias: false, num_hidden_layers: 3 })
  await refuses(/^model\.layers\.2\.\S+: tensor is missing/)
})

test('a bias that the configuration does not know is not left out in silence', async () => {
  const qwen2 = await writeRandomCheckpoint({ type: 'qwen2' })
  const config = JSON.parse(await readFile(join(qwen2.folder, 'config.json'), 'utf8'))
  config.architectures = ['LlamaForCausalLM']
  await writeFile(join(qwen2.folder, 'config.json'), JSON.stringify(config))
  await refuses(/q_proj\.bias: is in the checkpoint, but config\.json knows of no such bias$/, {
    folder: qwen2.folder,
  })
  await qwen2.remove()
})

test('what is found wrong while weights are written leaves nothing behind', async () => {
  const path = join(folder, 'model.safetensors')
  const bytes = await readFile(path)
  const header = Number(bytes.readBigUInt64LE(0))
  const tensors = JSON.parse(bytes.subarray(8, 8 + header).toString())
  const [begin] = tensors['model.layers.1.mlp.down_proj.weight'].data_offsets
  bytes.writeFloatLE(NaN, 8 + header + begin)
  await writeFile(path, bytes)
  const about = /^model\.layers\.1\.mlp\.down_proj\.weight: holds a value that is not finite$/
  for (const inlineBytesMax of [undefined, 0]) {
    await refuses(about, { out, ...(inlineBytesMax === 0 && { inlineBytesMax }) })
    await assert.rejects(readdir(out), { code: 'ENOENT' })
  }
  bytes.writeFloatLE(0, 8 + header + begin)
  bytes.writeFloatLE(Infinity, bytes.length - 4)
  await writeFile(path, bytes)
  await refuses(/^model\.norm\.weight: holds a value that is not finite$/)
  assert.ok(!(await readdir(folder)).includes('setblock.json'))
})

test('a folder that another build writes to is refused, and stays as it is', async () => {
  await mkdir(out)
  const release = await lockFolder(out)
  await refuses(/^\.setblock-build\.lock: process \d+ on .* is building into /, { out })
  assert.deepEqual(await readdir(out), [LOCK_FILE])
  await release()
  await build({ out })
})

test('refuses a wrong source file by its field', async () => {
  await edit('setblock.source.json', { contextLength: 193 })
  await refuses(/contextLength: must not exceed max_position_embeddings 192$/)
  await edit('setblock.source.json', { contextLength: 192, maskTokenId: 96 })
  await refuses(/maskTokenId: must be below 96$/)
  await edit('setblock.source.json', { maskTokenId: 3, provenance: {} })
  await refuses(/^setblock\.source\.json provenance\.createdBy: /)
  await edit('setblock.source.json', {
    provenance: { createdBy: 'x', license: 'y' },
    eosTokenIds: [3],
  })
  await refuses(/^setblock\.json maskTokenId: must not be an end token$/)
  await rm(join(folder, 'tokenizer.json'))
  await refuses(/^tokenizer\.json: cannot be read/)
  assert.ok(!(await readdir(folder)).includes('setblock.json'), 'nothing is written on failure')
})
