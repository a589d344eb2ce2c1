import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'

import { buildModel } from './build-model.ts'
import type { BuildRequest } from './build-model.ts'
import { openCheckpoint } from './checkpoint.ts'
import { ModelError } from '../engine/model-error.ts'
import { visitRows } from './matrix.ts'
import { writeRandomCheckpoint } from '../testing/random-checkpoint.ts'
import type { RandomModel } from '../testing/random-checkpoint.ts'

let folder: string
let out: string
let remove: () => Promise<void>
const cleanUp = async () => {
  await remove()
  await rm(out, { recursive: true })
}

/** A checkpoint as others publish it: nothing of ours in the folder, 90 tokens in use. */
async function publish(shape: Partial<RandomModel> = {}): Promise<void> {
  ;({ folder, remove } = await writeRandomCheckpoint(shape))
  out = await mkdtemp(join(tmpdir(), 'setblock-source-'))
  await rm(join(folder, 'setblock.source.json'))
  const vocab = Object.fromEntries(Array.from({ length: 88 }, (_, id) => [`t${id}`, id]))
  const added_tokens = [
    { id: 88, content: '<|reserved|>', special: true },
    { id: 89, content: '<|end|>', special: true },
  ]
  const pre_tokenizer = { type: 'ByteLevel' }
  await json('tokenizer.json', { version: '1.0', added_tokens, pre_tokenizer, model: { vocab } })
  await json('tokenizer_config.json', { eos_token: '<|end|>', bos_token: { content: 't1' } })
  await json('generation_config.json', { eos_token_id: [2, 89], pad_token_id: 7 })
}
beforeEach(() => publish())
afterEach(() => cleanUp())

const json = (file: string, value: object) => writeFile(join(folder, file), JSON.stringify(value))
const edit = async (file: string, change: object) =>
  json(file, { ...JSON.parse(await readFile(join(folder, file), 'utf8')), ...change })
const written = async (file: string) => JSON.parse(await readFile(join(out, file), 'utf8'))

const build = (source: BuildRequest['source'] = {}) =>
  buildModel({ folder, out, targets: ['fp32'], source })

const refuses = (about: RegExp, source: BuildRequest['source'] = {}) =>
  assert.rejects(build(source), (error) => {
    assert.ok(error instanceof ModelError, String(error))
    assert.match(error.message, about)
    return true
  })

test('a folder without our own file tells everything by its standard ones', async () => {
  await edit('tokenizer_config.json', { mask_token: '<|reserved|>' })
  const { manifest } = await build({ id: 'mine', stopTokens: ['t5', '2'] })
  const { bosTokenId, eosTokenIds, padTokenId, maskTokenId, contextLength } = manifest
  assert.deepEqual(
    { bosTokenId, eosTokenIds, padTokenId, maskTokenId, contextLength },
    { bosTokenId: 1, eosTokenIds: [2, 89, 5], padTokenId: 7, maskTokenId: 88, contextLength: 192 },
  )
  assert.equal(manifest.name, 'mine')
  assert.deepEqual(manifest.defaults, {
    mode: 'verified',
    gamma: 0.1,
    rule: 'prefix',
    blockLength: 8,
  })
  assert.deepEqual(manifest, await written('setblock.json'))
  for (const file of ['tokenizer.json', 'tokenizer_config.json']) {
    assert.deepEqual(await readFile(join(out, file)), await readFile(join(folder, file)))
  }
})

test('options go before the files', async () => {
  const { manifest } = await build({
    maskToken: '88',
    name: 'My model',
    contextLength: 64,
    blockLength: 4,
    license: 'MIT',
  })
  assert.equal(manifest.maskTokenId, 88)
  assert.equal(manifest.name, 'My model')
  assert.equal(manifest.contextLength, 64)
  assert.equal(manifest.defaults.blockLength, 4)
  assert.equal(manifest.provenance.license, 'MIT')
  await refuses(/contextLength: must not exceed max_position_embeddings 192$/, {
    maskToken: '88',
    contextLength: 193,
  })
})

test('special tokens and a template that lie in files of their own come into the configuration', async () => {
  await json('special_tokens_map.json', { mask_token: { content: '<|reserved|>' } })
  await writeFile(join(folder, 'chat_template.jinja'), '{{ messages }}')
  const { manifest } = await build()
  assert.equal(manifest.maskTokenId, 88)
  const config = await written('tokenizer_config.json')
  assert.equal(config.chat_template, '{{ messages }}')
  assert.deepEqual(config.mask_token, { content: '<|reserved|>' })
})

test('a tokenizer without a mask token: one error that names the options', async () => {
  await refuses(
    /^tokenizer\.json: has no mask token: .* --mask-token <text or id>, .* --add-mask-token$/,
  )
  await refuses(/^--mask-token: the tokenizer has no token 'nothing'$/, { maskToken: 'nothing' })
  await refuses(/^--stop-token: the tokenizer has no token 'x'$/, {
    maskToken: '88',
    stopTokens: ['x'],
  })
  await refuses(/^setblock\.json maskTokenId: must be below 96$/, { maskToken: '96' })
  await refuses(/^setblock\.json maskTokenId: must not be an end token$/, { maskToken: '<|end|>' })
})

test('a folder that names no end token needs one', async () => {
  await rm(join(folder, 'generation_config.json'))
  await edit('tokenizer_config.json', { eos_token: null })
  await refuses(/eos_token_id: no file names an end token: name one with --stop-token/, {
    maskToken: '88',
  })
})

test('an added mask takes the next id and the mean of the rows before it, and ntp is the default', async () => {
  for (const [vocabularySize, tied, rows] of [
    [96, true, 96], // a row of padding is there
    [90, false, 91], // one more is needed
  ] as const) {
    await cleanUp()
    await publish({ vocabularySize, tied })
    const { manifest, addedMaskId } = await build({ addMaskToken: true })
    assert.equal(addedMaskId, 90)
    assert.equal(manifest.maskTokenId, 90)
    assert.equal(manifest.architecture.vocabularySize, rows)
    assert.equal(manifest.defaults.mode, 'ntp')
    const tokenizer = await written('tokenizer.json')
    const { id, content, special } = tokenizer.added_tokens.at(-1)
    assert.deepEqual({ id, content, special }, { id: 90, content: '<|mask|>', special: true })
    assert.equal((await written('tokenizer_config.json')).mask_token, '<|mask|>')
    await assertMeanRows(rows)
  }
})

async function assertMeanRows(rows: number): Promise<void> {
  const { weights, files } = await openCheckpoint(folder, { addMaskToken: true })
  for (const matrix of [weights.embedding, weights.head]) {
    const seen: number[][] = []
    await visitRows(matrix, (output, values) => (seen[output] = [...values]))
    assert.equal(seen.length, rows)
    for (const [column, value] of seen[90]!.entries()) {
      const mean = seen.slice(0, 90).reduce((sum, row) => sum + row[column]!, 0) / 90
      assert.ok(Math.abs(value - mean) < 1e-6)
    }
  }
  await files.close()
}

test('a mask is not added twice, nor to the checkpoint itself, nor where rows are missing', async () => {
  const add = { addMaskToken: true }
  await assert.rejects(
    buildModel({ folder, targets: ['fp32'], source: add }),
    /^ModelError: --add-mask-token: would change the checkpoint.s own tokenizer: .* --out$/,
  )
  await cleanUp()
  await publish({ vocabularySize: 88 })
  await refuses(/^model\.embed_tokens\.weight: has 88 rows, the tokenizer has 90 tokens/, add)
  await edit('tokenizer.json', { added_tokens: [{ id: 88, content: '<|mask|>' }] })
  await refuses(/^--add-mask-token: the tokenizer has <\|mask\|> already: name it$/, add)
})
