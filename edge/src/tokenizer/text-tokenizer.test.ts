import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { test } from 'node:test'
import { loadTiny, TINY, TINY_FOLDER } from '../test-support/tiny-model.ts'
import { createTextTokenizer } from './text-tokenizer.ts'

const { tokenizer } = await loadTiny()

interface EncodeCase {
  text: string
  ids: number[]
}

async function readJson<T>(file: string): Promise<T> {
  return JSON.parse(await readFile(path.join(TINY_FOLDER, file), 'utf8')) as T
}

test('text becomes the ids that the reference library gives with special tokens switched off', async () => {
  for (const { text, ids } of await readJson<EncodeCase[]>('encode-cases.json')) {
    assert.deepEqual(tokenizer.encodeText(text), ids, JSON.stringify(text))
  }
})

test('the bytes of encoded text are the text', async () => {
  for (const { text, ids } of await readJson<EncodeCase[]>('encode-cases.json')) {
    const bytes = Uint8Array.from(ids.flatMap((id) => [...tokenizer.bytesOf(id)]))
    assert.equal(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes), text)
  }
})

test('every byte has a token, and special tokens have no bytes', () => {
  const single = new Set<number>()
  for (let id = 0; id < tokenizer.vocabularySize; id++) {
    const bytes = tokenizer.bytesOf(id)
    if (bytes.length === 1) single.add(bytes[0]!)
    assert.equal(bytes.length === 0, id <= TINY.end, `id ${id}`)
    assert.ok(bytes.length <= tokenizer.longestToken)
  }
  assert.equal(single.size, 256)
  assert.throws(() => tokenizer.bytesOf(tokenizer.vocabularySize), RangeError)
})

test('only template text can hold special tokens', () => {
  assert.deepEqual(tokenizer.encodeTemplate('<|bos|><|end|>'), [TINY.bos, TINY.end])
  const ids = tokenizer.encodeText('<|bos|><|end|>')
  assert.ok(ids.every((id) => id > TINY.end))
})

test('a tokenizer that is not byte-level is refused by the field that says so', async () => {
  const file = await readJson<object>('tokenizer.json')
  for (const pre_tokenizer of [null, { type: 'Metaspace' }]) {
    const refused = { ...file, pre_tokenizer }
    const message = /^tokenizer\.json pre_tokenizer: is not ByteLevel; .*Llama 2/
    assert.throws(() => createTextTokenizer(refused, {}), { message })
  }
})

test('a token that is not spelled in bytes is refused where it is read', async () => {
  const file = await readJson<{ model: { vocab: Record<string, number> } }>('tokenizer.json')
  const [token, id] = Object.entries(file.model.vocab).at(-1)!
  delete file.model.vocab[token]
  file.model.vocab['▁the'] = id
  const other = createTextTokenizer(file, {})
  assert.throws(() => other.bytesOf(id), /not a byte-level token/)
})
