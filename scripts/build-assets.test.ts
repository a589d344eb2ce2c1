import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { buildAssets } from './build-assets.ts'

const bundled = path.resolve(import.meta.dirname, '..', 'models', 'setblock-nano')
const folder = await mkdtemp(path.join(tmpdir(), 'setblock-assets-'))
after(() => rm(folder, { recursive: true }))
const assetsFolder = path.join(folder, 'assets')

/** A copy of the bundled model, without its weights and graphs, under another id. */
async function copyModel(id: string): Promise<string> {
  const target = path.join(folder, 'models', id)
  await cp(bundled, target, {
    recursive: true,
    filter: (file) => !/\.(?:onnx|safetensors)$/.test(file),
  })
  const manifest = path.join(target, 'setblock.json')
  const facts = JSON.parse(await readFile(manifest, 'utf8')) as object
  await writeFile(manifest, JSON.stringify({ ...facts, id }))
  return target
}

test('manifests and tokenizers are published, weights are not', async () => {
  const modelFolders = [await copyModel('b-model'), bundled, await copyModel('a-model')]
  await buildAssets({ modelFolders, assetsFolder })
  const index: unknown = JSON.parse(await readFile(path.join(assetsFolder, 'index.json'), 'utf8'))
  assert.deepEqual(index, { models: ['a-model', 'b-model', 'setblock-nano'] })
  for (const id of ['a-model', 'b-model', 'setblock-nano']) {
    const files = await readdir(path.join(assetsFolder, id))
    assert.deepEqual(files.toSorted(), ['setblock.json', 'tokenizer.json', 'tokenizer_config.json'])
  }
})

test('what an earlier build left is removed', async () => {
  await buildAssets({ modelFolders: [await copyModel('old')], assetsFolder })
  await buildAssets({ modelFolders: [bundled], assetsFolder })
  assert.deepEqual((await readdir(assetsFolder)).toSorted(), ['index.json', 'setblock-nano'])
})

test('a tokenizer that is not the one described is not published', async () => {
  const model = await copyModel('swapped')
  await writeFile(path.join(model, 'tokenizer.json'), '{}')
  await assert.rejects(buildAssets({ modelFolders: [model], assetsFolder }), {
    message: /tokenizer\.json is not the file that .*setblock\.json describes/,
  })
})

test('a folder without a manifest, or with a broken one, is named', async () => {
  const model = await copyModel('broken')
  await writeFile(path.join(model, 'setblock.json'), '{"formatVersion":1}')
  await assert.rejects(buildAssets({ modelFolders: [model], assetsFolder }), /setblock\.json: id/)
  await rm(path.join(model, 'setblock.json'))
  await assert.rejects(buildAssets({ modelFolders: [model], assetsFolder }), /cannot read .*broken/)
})

test('two models of one id are refused', async () => {
  const modelFolders = [bundled, bundled]
  await assert.rejects(buildAssets({ modelFolders, assetsFolder }), /two model folders/)
})

test('the published manifest is the model’s own, byte for byte', async () => {
  await buildAssets({ modelFolders: [bundled], assetsFolder })
  const digest = async (file: string): Promise<string> =>
    createHash('sha256')
      .update(await readFile(file))
      .digest('hex')
  assert.equal(
    await digest(path.join(assetsFolder, 'setblock-nano', 'setblock.json')),
    await digest(path.join(bundled, 'setblock.json')),
  )
})
