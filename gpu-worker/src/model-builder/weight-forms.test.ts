import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { OnnxGraph, tensor } from '../engine/onnx-graph.ts'
import { ModelError } from '../engine/model-error.ts'
import { toHalves } from './float-formats.ts'
import { matrix, stacked, visitRows } from './matrix.ts'
import { MICROSOFT, OnnxModel } from './onnx-model.ts'
import type { LazyTensor } from './onnx-model.ts'
import { TensorFiles } from './tensor-files.ts'
import { denseWeight, int8Weight, q4Weight, rowsWeight, storedType } from './weight-forms.ts'
import { graphBytes } from './write-graph.ts'
import { assembleSafetensors, writeSafetensors } from '../testing/safetensors-writer.ts'
import { seededNormal } from '../testing/seeded-random.ts'

const [INPUTS, OUTPUTS] = [64, 150] // more rows than a tile has

let folder: string
let files: TensorFiles
const normal = seededNormal(3)
const rows = Float32Array.from({ length: INPUTS * OUTPUTS }, normal)

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'setblock-forms-'))
  const tensors = {
    w: { shape: [OUTPUTS, INPUTS], data: rows },
    large: { shape: [1, 2], data: Float32Array.of(1, 7e4) },
    broken: { shape: [1, 2], data: Float32Array.of(1, NaN) },
    odd: { shape: [1, 48], data: new Float32Array(48) },
  }
  await writeFile(
    join(folder, 'model-1.safetensors'),
    writeSafetensors(new Map(Object.entries(tensors))),
  )
  const halves = {
    half: { dtype: 'BF16', shape: [1, 2], data_offsets: [0, 4] },
    endless: { dtype: 'BF16', shape: [1, 2], data_offsets: [4, 8] },
  }
  const bytes = assembleSafetensors(halves, 8)
  bytes.set([0x80, 0x3f, 0x49, 0xc0, 0x80, 0x3f, 0x80, 0xff], bytes.length - 8)
  await writeFile(join(folder, 'model-2.safetensors'), bytes)
  const weight_map = Object.fromEntries([
    ...Object.keys(tensors).map((name) => [name, 'model-1.safetensors']),
    ...Object.keys(halves).map((name) => [name, 'model-2.safetensors']),
  ])
  await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map }))
  files = await TensorFiles.open(folder)
})
after(async () => {
  await files.close()
  await rm(folder, { recursive: true })
})

const weight = () => matrix(files.find('w'))
const made = async ({ source, index }: LazyTensor) => (await source.produce())[index]!

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength)

test('rows and columns come in their places', async () => {
  const { tensor: part } = weight().parts[0]!
  const moved = {
    ...stacked([
      { tensor: part, rows: [100, 150], place: (row) => 49 - row },
      { tensor: part, rows: [0, 100] },
    ]),
    columnRuns: { length: 16, place: (run: number) => 3 - run },
  }
  const seen = new Map<number, number[]>()
  await visitRows(moved, (output, values) => seen.set(output, [...values]))
  assert.equal(seen.size, OUTPUTS)
  const row = (index: number) => rows.subarray(index * INPUTS, (index + 1) * INPUTS)
  assert.deepEqual(seen.get(0)!.slice(48), [...row(149).subarray(0, 16)])
  assert.deepEqual(seen.get(49)!.slice(0, 16), [...row(100).subarray(48)])
  assert.deepEqual(seen.get(50)!.slice(0, 16), [...row(0).subarray(48)])
})

test('dense weights lie the other way round, rows as they are', async () => {
  const dense = (await made(denseWeight(weight(), 'float32'))) as Float32Array
  for (const [i, value] of rows.entries()) {
    assert.equal(dense[(i % INPUTS) * OUTPUTS + Math.floor(i / INPUTS)], value)
  }
  const copied = await made(rowsWeight(weight(), 'float32'))
  assert.ok(bytesOf(copied).equals(bytesOf(rows)))
  const halves = new Uint16Array(rows.length)
  toHalves(rows, halves)
  assert.deepEqual(await made(rowsWeight(weight(), 'float16')), halves)
})

test('rows in the type of the checkpoint are copied as they are', async () => {
  const bf16 = matrix(files.find('half'))
  assert.equal(storedType(bf16), 'bfloat16')
  assert.deepEqual(await made(rowsWeight(bf16, 'bfloat16')), Uint8Array.of(0x80, 0x3f, 0x49, 0xc0))
  assert.deepEqual(await made(rowsWeight(bf16, 'float32')), Float32Array.of(1, -3.140625))
  const mixed = stacked([...bf16.parts, ...matrix(files.find('large')).parts])
  assert.equal(storedType(mixed), 'float32')
  await assert.rejects(
    made(rowsWeight(matrix(files.find('endless')), 'bfloat16')),
    /^ModelError: endless: holds a value that is not finite$/,
  )
})

test('int8 weights restore every value to within half a step', async () => {
  const { codes, scales } = int8Weight(weight())
  const values = (await made(codes)) as Int8Array
  const scale = (await made(scales)) as Float32Array
  for (const [i, value] of rows.entries()) {
    const output = Math.floor(i / INPUTS)
    const restored = values[(i % INPUTS) * OUTPUTS + output]! * scale[output]!
    assert.ok(Math.abs(restored - value) <= 0.5001 * scale[output]!)
  }
})

test('4-bit weights mean to the runtime what they mean here', async () => {
  const { codes, scales } = q4Weight(weight(), 'float32')
  const model = new OnnxModel()
  model.input('x', 'float32', ['N', INPUTS])
  const inputs = ['x', model.initializer('codes', codes), model.initializer('scales', scales)]
  const sizes = { K: INPUTS, N: OUTPUTS, bits: 4, block_size: 32 }
  const attributes = Object.fromEntries(Object.entries(sizes).map(([k, int]) => [k, { int }]))
  model.node('y', 'MatMulNBits', inputs, { domain: MICROSOFT, attributes })
  model.output('y', 'float32', ['N', OUTPUTS])
  const graph = await OnnxGraph.load(await graphBytes(model), { threads: 1, spinning: false })
  // A row for each input, so that the products are the weights themselves.
  const identity = new Float32Array(INPUTS * INPUTS)
  for (let i = 0; i < INPUTS; i++) identity[i * INPUTS + i] = 1
  const { y } = await graph.run({ x: tensor(identity, [INPUTS, INPUTS]) }, ['y'])
  await graph.dispose()
  const scale = (await made(scales)) as Float32Array
  for (const [i, value] of rows.entries()) {
    const [output, input] = [Math.floor(i / INPUTS), i % INPUTS]
    const step = Math.abs(scale[output * 2 + Math.floor(input / 32)]!)
    const restored = (y!.data as Float32Array)[input * OUTPUTS + output]!
    assert.ok(Math.abs(restored - value) <= 1.0001 * step, `${restored}, not ${value}`)
  }
})

test('what a form cannot hold is refused by the name of its tensor', async () => {
  const refuses = (produce: () => unknown, about: RegExp) =>
    assert.rejects(
      async () => produce(),
      (error) => error instanceof ModelError && about.test(error.message),
    )
  await refuses(
    () => made(rowsWeight(matrix(files.find('large')), 'float16')),
    /^large: holds 70000, more than float16 can/,
  )
  await refuses(
    () => made(int8Weight(matrix(files.find('broken'))).codes),
    /^broken: holds a value that is not finite$/,
  )
  await refuses(() => q4Weight(matrix(files.find('odd')), 'float32'), /^odd: has rows of 48 values/)
})
