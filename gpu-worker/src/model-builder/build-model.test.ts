import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { buildModel } from './build-model.ts'
import { loadModel } from '../engine/manifest.ts'
import { ModelError } from '../engine/model-error.ts'
import { writeRandomCheckpoint } from '../testing/random-checkpoint.ts'

let folder: string
let remove: () => Promise<void>
beforeEach(async () => {
  ;({ folder, remove } = await writeRandomCheckpoint())
})
afterEach(() => remove())

const edit = async (file: string, change: object) => {
  const path = join(folder, file)
  const json = JSON.parse(await readFile(path, 'utf8'))
  await writeFile(path, JSON.stringify({ ...json, ...change }))
}

const refuses = (about: RegExp) =>
  assert.rejects(buildModel(folder, 'int8'), (error) => {
    assert.ok(error instanceof ModelError)
    assert.match(error.message, about)
    return true
  })

test('writes the graph and the manifest and nothing else, the same bytes each time', async () => {
  const before = await readdir(folder)
  await buildModel(folder, 'int8')
  const added = (await readdir(folder)).filter((file) => !before.includes(file))
  assert.deepEqual(added.sort(), ['graph.int8.onnx', 'setblock.json'])
  const manifest = await readFile(join(folder, 'setblock.json'), 'utf8')
  await buildModel(folder, 'int8')
  assert.equal(await readFile(join(folder, 'setblock.json'), 'utf8'), manifest)
})

test('keeps the graph of the other precision as long as it is of the same model', async () => {
  await buildModel(folder, 'int8')
  await buildModel(folder, 'fp32')
  const { manifest } = await loadModel(folder, 'int8')
  assert.deepEqual(
    manifest.graphs.map((graph) => graph.precision),
    ['int8', 'fp32'],
  )
  await edit('setblock.source.json', { maskTokenId: 4 })
  await buildModel(folder, 'fp32')
  await assert.rejects(loadModel(folder, 'int8'), /has no cpu int8 graph/)
})

test('refuses a checkpoint that contradicts its configuration, naming the tensor', async () => {
  await edit('config.json', { intermediate_size: 50 })
  await refuses(/^model\.layers\.0\.mlp\.gate_proj\.weight: shape is \[48, 32\], .* \[50, 32\]$/)
  await edit('config.json', { intermediate_size: 48, tie_word_embeddings: false })
  await refuses(/^lm_head\.weight: tensor is missing from model\.safetensors$/)
})

test('refuses weights that are not finite', async () => {
  const path = join(folder, 'model.safetensors')
  const bytes = await readFile(path)
  bytes.writeFloatLE(NaN, bytes.length - 4)
  await writeFile(path, bytes)
  await refuses(/^model\.norm\.weight: holds a value that is not finite$/)
})

test('refuses a wrong source file by its field', async () => {
  await edit('setblock.source.json', { contextLength: 193 })
  await refuses(/contextLength: must not exceed max_position_embeddings 192$/)
  await edit('setblock.source.json', { contextLength: 192, maskTokenId: 96 })
  await refuses(/maskTokenId: must be below vocab_size 96$/)
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

const commandLine = (...args: string[]) => {
  const main = fileURLToPath(new URL('main.ts', import.meta.url))
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' })
}

test('the command line builds, or says in one line why not', async () => {
  const built = commandLine(folder, '--precision', 'fp32')
  assert.equal(built.status, 0, built.stderr)
  assert.match(built.stdout, /^graph\.fp32\.onnx: [\d.]+ MB, \d+ nodes\n$/)

  await edit('config.json', { architectures: ['MambaForCausalLM'] })
  const refused = commandLine(folder)
  assert.equal(refused.status, 1)
  assert.equal(refused.stdout, '')
  assert.match(
    refused.stderr,
    /^config\.json architectures: MambaForCausalLM is not supported.*\n$/,
  )

  for (const args of [[], [folder, 'more'], [folder, '--precision', 'int4'], ['--what']]) {
    const misused = commandLine(...args)
    assert.equal(misused.status, 2)
    assert.match(misused.stderr, /^usage: .*\n$/)
  }
})
