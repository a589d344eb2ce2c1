import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'

import { TensorFiles } from './tensor-files.ts'
import { ModelError } from '../engine/model-error.ts'
import { assembleSafetensors, writeSafetensors } from '../testing/safetensors-writer.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'setblock-tensors-'))
})
afterEach(() => rm(folder, { recursive: true }))

const write = (file: string, content: Uint8Array | string) => writeFile(join(folder, file), content)
const a = { shape: [3, 2], data: Float32Array.of(1, -2, 0.5, 3e-5, 7, 8) }
const b = { shape: [3], data: Float32Array.of(7, 8, 9) }
const index = (weight_map: object) =>
  write('model.safetensors.index.json', JSON.stringify({ metadata: {}, weight_map }))

const refuses = (about: RegExp) =>
  assert.rejects(TensorFiles.open(folder), (error) => {
    assert.ok(error instanceof ModelError, String(error))
    assert.match(error.message, about)
    return true
  })

test('reads parts of tensors and rows in blocks from one file', async () => {
  await write('model.safetensors', writeSafetensors(new Map(Object.entries({ a, b }))))
  const files = await TensorFiles.open(folder)
  assert.deepEqual(files.names, ['a', 'b'])
  assert.deepEqual(files.fileNames, ['model.safetensors'])
  assert.deepEqual(await files.find('a').read(0, 6), a.data)
  assert.deepEqual(await files.find('b').read(1, 3), Float32Array.of(8, 9))
  const rows: number[] = []
  for await (const { firstRow, rows: count, raw } of files.find('a').blocks(1, 3)) {
    rows.push(firstRow, count, ...new Float32Array(raw.buffer, raw.byteOffset, raw.length / 4))
  }
  assert.deepEqual(rows, [1, 2, ...a.data.subarray(2)])
  await files.close()
})

test('reads a checkpoint in shards', async () => {
  await write('x-1.safetensors', writeSafetensors(new Map([['a', a]])))
  await write('x-2.safetensors', writeSafetensors(new Map([['b', b]])))
  await index({ a: 'x-1.safetensors', b: 'x-2.safetensors' })
  const files = await TensorFiles.open(folder)
  assert.deepEqual(files.fileNames, [
    'model.safetensors.index.json',
    'x-1.safetensors',
    'x-2.safetensors',
  ])
  assert.deepEqual(await files.find('b').read(0, 3), b.data)
  await files.close()
})

test('refuses shards that are missing, hold a tensor twice, or not where the index says', async () => {
  await write('x-1.safetensors', writeSafetensors(new Map([['a', a]])))
  await index({ a: 'x-1.safetensors', b: 'x-2.safetensors' })
  await refuses(/^x-2\.safetensors: cannot be read from .* \(ENOENT\)$/)
  await write('x-2.safetensors', writeSafetensors(new Map(Object.entries({ a, b }))))
  await refuses(/^a: lies in both x-1\.safetensors and x-2\.safetensors$/)
  await write('x-2.safetensors', writeSafetensors(new Map([['c', b]])))
  await refuses(/^b: is not in x-2\.safetensors, where model\.safetensors\.index\.json says it is$/)
  await index({ a: '../x-1.safetensors' })
  await refuses(/^model\.safetensors\.index\.json weight_map\.a: must be a plain file name$/)
})

test('refuses what is absent, cut short or of another dtype, but not the rest of the file', async () => {
  await refuses(/^model\.safetensors: cannot be read from .* \(ENOENT\)$/)
  const whole = writeSafetensors(new Map(Object.entries({ a, b })))
  await write('model.safetensors', whole.subarray(0, whole.length - 1))
  await refuses(/^b: data_offsets .* is the file cut short\?$/)
  const entry = (dtype: string, data_offsets: number[]) => ({ dtype, shape: [1], data_offsets })
  const header = { odd: entry('I64', [0, 8]), fine: entry('F32', [8, 12]) }
  await write('model.safetensors', assembleSafetensors(header, 12))
  const files = await TensorFiles.open(folder)
  assert.deepEqual(await files.find('fine').read(0, 1), Float32Array.of(0))
  assert.throws(() => files.find('odd'), /^ModelError: odd: dtype I64 is not supported/)
  assert.throws(() => files.find('gone'), /^ModelError: gone: tensor is missing from model\./)
  await files.close()
})
