import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { test } from 'node:test'
import { sha256Hex } from '@setblock/shared'
import { createTinySource, TINY_FOLDER } from '../test-support/tiny-model.ts'
import { createModelSource } from './model-source.ts'

const readTiny = async (file: string) =>
  new Uint8Array(await readFile(path.join(TINY_FOLDER, file)))

test('a folder’s model is listed and found under its manifest’s id', async () => {
  const source = createTinySource()
  assert.deepEqual(
    (await source.list()).map(({ id }) => id),
    ['tiny'],
  )
  const model = await source.find('tiny')
  assert.equal(model?.manifest.id, 'tiny')
  assert.equal(await source.find('tiny'), model)
  assert.equal(await source.find('other'), undefined)
})

test('a tokenizer that is not the one its manifest names is refused, until it is mended', async () => {
  let broken = true
  const source = createModelSource({
    folders: () => Promise.resolve(['any']),
    read: async (_folder, file) => {
      const bytes = await readTiny(file)
      return broken && file === 'tokenizer.json' ? bytes.slice(1) : bytes
    },
  })
  await assert.rejects(source.find('tiny'), /tokenizer\.json is not the file/)
  broken = false
  assert.equal((await source.find('tiny'))?.manifest.id, 'tiny')
})

test('a manifest that is none is refused', async () => {
  const source = createModelSource({
    folders: () => Promise.resolve(['any']),
    read: () => Promise.resolve(new TextEncoder().encode('{"formatVersion": 2}')),
  })
  await assert.rejects(source.list(), /^Error: any: formatVersion: /)
})

test('of several folders the one at fault is named', async () => {
  const source = createModelSource({
    folders: () => Promise.resolve(['good', 'torn']),
    read: async (folder, file) =>
      (await readTiny(file)).slice(0, folder === 'torn' ? 99 : undefined),
  })
  await assert.rejects(source.list(), /^Error: torn: setblock\.json is not valid JSON$/)
})

test('two folders of one id are refused', async () => {
  const source = createModelSource({
    folders: () => Promise.resolve(['one', 'other']),
    read: (_folder, file) => readTiny(file),
  })
  await assert.rejects(source.list(), /two model folders have the id tiny/)
})

test('a model without a chat template refuses messages by name, and encodes text', async () => {
  const { chat_template: _, ...config } = JSON.parse(
    new TextDecoder().decode(await readTiny('tokenizer_config.json')),
  ) as Record<string, unknown>
  const configBytes = new TextEncoder().encode(JSON.stringify(config))
  const manifest = JSON.parse(new TextDecoder().decode(await readTiny('setblock.json'))) as {
    tokenizer: object
  }
  const configSha256 = await sha256Hex(configBytes)
  const tokenizer = { ...manifest.tokenizer, configSha256 }
  const files: Record<string, Uint8Array<ArrayBuffer>> = {
    'tokenizer_config.json': configBytes,
    'setblock.json': new TextEncoder().encode(JSON.stringify({ ...manifest, tokenizer })),
  }
  const source = createModelSource({
    folders: () => Promise.resolve(['any']),
    read: async (_folder, file) => files[file] ?? readTiny(file),
  })
  const model = await source.find('tiny')
  assert.ok(model !== undefined && model.tokenizer.encodeText('hi').length > 0)
  const messages = [{ role: 'user', content: 'hi' }] as const
  const refusal = {
    code: 'invalid_request',
    param: 'messages',
    message: /tiny has no chat template/,
  }
  assert.throws(() => model.encodeChat(messages), refusal)
  assert.throws(() => model.encodeChat.following(messages), refusal)
})
