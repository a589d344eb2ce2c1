import { performance } from 'node:perf_hooks'

import { commandLine } from './command-line.ts'
import { machineFacts } from './machine-facts.ts'
import { OnnxGraph, tensor } from '../src/engine/onnx-graph.ts'
import type { Feed } from '../src/engine/onnx-graph.ts'
import { MICROSOFT, OnnxModel } from '../src/model-builder/onnx-model.ts'
import type { Attribute, NodeOptions } from '../src/model-builder/onnx-model.ts'
import { seededRandom } from '../src/testing/seeded-random.ts'

/**
 * Microseconds of one operator on its own, by rows, for the forms a graph could take: what the
 * choices in README.md rest on.
 *
 * npm run bench:operators -- [--rows 1,16,32]
 *
 * Each is timed as the difference between a graph of 12 of them and one of 2, fastest tenth of the
 * runs. The last line is JSON.
 */

const { values } = commandLine({ options: { rows: { type: 'string', default: '1,16,32' } } })
const columns = values.rows.split(',').map(Number)

const [FEW, MANY] = [2, 12]
const SAMPLES = 60
const KEYS = 512
const [HIDDEN, INTERMEDIATE, VOCABULARY, HEAD] = [256, 704, 4096, 64]

const random = seededRandom(1)
const floats = (length: number) => Float32Array.from({ length }, () => random() - 0.5)
const bytes = (length: number) => Uint8Array.from({ length }, () => random() * 256)

/** Adds copy `index` of an operator to the model; returns the value it makes. */
type Add = (model: OnnxModel, index: number) => string
interface Candidate {
  readonly name: string
  readonly feeds: (rows: number) => Record<string, Feed>
  readonly add: Add
}

const rowsOf = (size: number) => (rows: number) => ({
  x: tensor(floats(rows * size), [rows, size]),
})

function simple(name: string, op: string, size: number, options: NodeOptions = {}): Candidate {
  const add: Add = (model, index) => model.node(`y.${index}`, op, ['x'], options)
  return { name, feeds: rowsOf(size), add }
}

function matmulFloat(inputs: number, outputs: number): Candidate {
  const add: Add = (model, index) => {
    const data = floats(inputs * outputs)
    const weight = { type: 'float32', shape: [inputs, outputs], data } as const
    return model.node(`y.${index}`, 'MatMul', ['x', model.initializer(`w.${index}`, weight)])
  }
  return { name: `MatMul fp32 ${inputs} x ${outputs}`, feeds: rowsOf(inputs), add }
}

function matmulInt8(inputs: number, outputs: number): Candidate {
  const add: Add = (model, index) => {
    const data = new Int8Array(bytes(inputs * outputs).buffer)
    const weight = { type: 'int8', shape: [inputs, outputs], data } as const
    const scale = { type: 'float32', shape: [], data: Float32Array.of(1) } as const
    const scales = { type: 'float32', shape: [outputs], data: floats(outputs) } as const
    const zero = { type: 'uint8', shape: [], data: Uint8Array.of(128) } as const
    const inputNames = [
      'codes',
      model.initializer(`w.${index}`, weight),
      model.initializer('scale', scale),
      model.initializer('scales', scales),
      model.initializer('zero', zero),
    ]
    if (index === 0) quantised(model)
    return model.node(`y.${index}`, 'MatMulIntegerToFloat', inputNames, { domain: MICROSOFT })
  }
  return { name: `MatMulIntegerToFloat ${inputs} x ${outputs}`, feeds: rowsOf(inputs), add }
}

/** uint8 codes of x, once for the whole graph. */
function quantised(model: OnnxModel): void {
  const step = { type: 'float32', shape: [], data: Float32Array.of(1 / 256) } as const
  const zero = { type: 'uint8', shape: [], data: Uint8Array.of(128) } as const
  const inputs = ['x', model.initializer('step', step), model.initializer('zero', zero)]
  model.node('codes', 'QuantizeLinear', inputs)
}

function matmulNBits(bits: 4 | 8, block: number, inputs: number, outputs: number): Candidate {
  const add: Add = (model, index) => {
    const blocks = inputs / block
    const codes = bytes((inputs * outputs * bits) / 8)
    const shape = [outputs, blocks, (block * bits) / 8]
    const scales = {
      type: 'float32',
      shape: [outputs * blocks],
      data: floats(outputs * blocks),
    } as const
    const inputNames = [
      'x',
      model.initializer(`w.${index}`, { type: 'uint8', shape, data: codes }),
      model.initializer(`s.${index}`, scales),
    ]
    const numbers = { K: inputs, N: outputs, bits, block_size: block, accuracy_level: 4 }
    const attributes: Record<string, Attribute> = {}
    for (const [key, value] of Object.entries(numbers)) attributes[key] = { int: value }
    return model.node(`y.${index}`, 'MatMulNBits', inputNames, { domain: MICROSOFT, attributes })
  }
  return {
    name: `MatMulNBits ${bits} bit, block ${block}, ${inputs} x ${outputs}`,
    feeds: rowsOf(inputs),
    add,
  }
}

/** Four query heads over two key-value heads, as they are or as two rows of one head each. */
function attention(name: string, queryHeads: 2 | 4): Candidate {
  const copies = 4 / queryHeads
  const feeds = (rows: number) => ({
    x: tensor(floats(rows * 4 * HEAD), [1, rows * copies, queryHeads * HEAD]),
    k: tensor(floats(KEYS * 2 * HEAD), [1, KEYS, 2 * HEAD]),
    v: tensor(floats(KEYS * 2 * HEAD), [1, KEYS, 2 * HEAD]),
    bias: tensor(new Float32Array(rows * copies * KEYS), [1, 1, rows * copies, KEYS]),
  })
  const attributes = { q_num_heads: { int: queryHeads }, kv_num_heads: { int: 2 } }
  const add: Add = (model, index) =>
    model.node(`y.${index}`, 'Attention', ['x', 'k', 'v', 'bias'], { attributes })
  return { name, feeds, add }
}

function append(): Candidate {
  const feeds = (rows: number) => ({
    x: tensor(floats(rows * 2 * HEAD), [1, rows, 2 * HEAD]),
    past: tensor(floats(KEYS * 2 * HEAD), [1, KEYS, 2 * HEAD]),
    at: tensor(BigInt64Array.of(BigInt(KEYS - 64)), [1]),
  })
  const attributes = { axis: { int: 1 } }
  const add: Add = (model, index) =>
    model.node(`y.${index}`, 'TensorScatter', ['past', 'x', 'at'], { attributes })
  return { name: 'TensorScatter', feeds, add }
}

/** Sums of products over the vocabulary, as an entropy would need. */
function rowDot(): Candidate {
  const feeds = (rows: number) => ({
    x: tensor(floats(rows * VOCABULARY), [rows, 1, VOCABULARY]),
    z: tensor(floats(rows * VOCABULARY), [rows, VOCABULARY, 1]),
  })
  const add: Add = (model, index) => model.node(`y.${index}`, 'MatMul', ['x', 'z'])
  return { name: 'MatMul, row by row', feeds, add }
}

function norm(
  name: string,
  form: (model: OnnxModel, y: string, weight: string) => string,
): Candidate {
  const feeds = (rows: number) => ({ x: tensor(floats(rows * HIDDEN), [1, rows, HIDDEN]) })
  const weight = { type: 'float32', shape: [HIDDEN], data: floats(HIDDEN) } as const
  const add: Add = (model, index) =>
    form(model, `y.${index}`, model.initializer('norm.weight', weight))
  return { name, feeds, add }
}

const candidates: Candidate[] = [
  matmulInt8(HIDDEN, INTERMEDIATE),
  matmulNBits(8, 128, HIDDEN, INTERMEDIATE),
  matmulNBits(4, 32, HIDDEN, INTERMEDIATE),
  matmulFloat(HIDDEN, INTERMEDIATE),
  matmulInt8(HIDDEN, VOCABULARY),
  matmulNBits(8, 128, HIDDEN, VOCABULARY),
  matmulFloat(HIDDEN, VOCABULARY),
  attention('Attention, 4 heads over 2', 4),
  attention('Attention, heads as rows', 2),
  append(),
  simple('QuickGelu', 'QuickGelu', INTERMEDIATE, {
    domain: MICROSOFT,
    attributes: { alpha: { float: 1 } },
  }),
  simple('Swish', 'Swish', INTERMEDIATE, { attributes: { alpha: { float: 1 } } }),
  simple('ArgMax', 'ArgMax', VOCABULARY, { attributes: { axis: { int: -1 } } }),
  simple('LogSoftmax', 'LogSoftmax', VOCABULARY, { attributes: { axis: { int: -1 } } }),
  rowDot(),
  norm('Add, RMSNormalization', (model, y, weight) => {
    const sum = model.node(`${y}.sum`, 'Add', ['x', 'x'])
    return model.node(y, 'RMSNormalization', [sum, weight])
  }),
  norm('SkipSimplifiedLayerNormalization', (model, y, weight) => {
    const attributes = { epsilon: { float: 1e-5 } }
    const inputs = ['x', 'x', weight]
    const node = { name: y, op: 'SkipSimplifiedLayerNormalization', inputs }
    model.multiNode(
      { ...node, outputs: [y, '', '', `${y}.sum`] },
      { domain: MICROSOFT, attributes },
    )
    return y
  }),
  simple('Abs', 'Abs', HIDDEN),
]

const table: Record<string, Record<string, number>> = {}
for (const candidate of candidates) {
  const [few, many] = [await build(candidate, FEW), await build(candidate, MANY)]
  const cells: Record<string, number> = {}
  for (const rows of columns) {
    const feeds = candidate.feeds(rows)
    const us = (await fastest(many, feeds)) - (await fastest(few, feeds))
    cells[rows] = Math.round((us / (MANY - FEW)) * 100) / 100
  }
  await Promise.all([few.dispose(), many.dispose()])
  table[candidate.name] = cells
  const printed = columns.map((rows) => cells[rows]!.toFixed(1).padStart(8)).join('')
  process.stdout.write(`${candidate.name.padEnd(42)}${printed}\n`)
}
process.stdout.write(
  `${JSON.stringify({ bench: 'operators', ...machineFacts(), microseconds: table })}\n`,
)

/** A graph of so many of them; only the sizes of what they make leave it. */
async function build(candidate: Candidate, count: number): Promise<OnnxGraph> {
  const model = new OnnxModel()
  for (const [name, feed] of Object.entries(candidate.feeds(1))) {
    const shape = feed.dims.map((_, axis) => `${name}.${axis}`)
    model.input(name, feed.type === 'int64' ? 'int64' : 'float32', shape)
  }
  for (let index = 0; index < count; index++) {
    const size = model.node(`size.${index}`, 'Size', [candidate.add(model, index)])
    model.output(size, 'int64', [])
  }
  const options = { threads: 1, spinning: false, optimised: false }
  return OnnxGraph.load(model.serialize().toBytes(), options)
}

async function fastest(graph: OnnxGraph, feeds: Record<string, Feed>): Promise<number> {
  const samples: number[] = []
  for (let i = 0; i < SAMPLES; i++) {
    const start = performance.now()
    await graph.run(feeds, ['size.0'])
    samples.push((performance.now() - start) * 1000)
  }
  return samples.sort((a, b) => a - b)[Math.floor(SAMPLES / 10)]!
}
