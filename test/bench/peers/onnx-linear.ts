import {
  MICROSOFT,
  type OnnxModel,
  type Value,
} from '../../../gpu-worker/src/model-builder/onnx-model.ts'
import { quantiseRow } from '../../../gpu-worker/src/model-builder/quantise-weights.ts'
import { Transposer } from '../../../gpu-worker/src/model-builder/transposer.ts'

/**
 * Weight formats, named by the dtype under which transformers.js loads them: `q8` activations quantised per tensor and
 * int8 weights per column (what dynamic quantisation fuses to), `int8` 8 bits in blocks, `q4` 4 bits in blocks.
 */
export const DTYPES = ['fp32', 'q8', 'int8', 'q4'] as const
export type Dtype = (typeof DTYPES)[number]

/** The file of a dtype within a transformers.js model folder. */
export const DTYPE_FILES: Readonly<Record<Dtype, string>> = {
  fp32: 'model.onnx',
  q8: 'model_quantized.onnx',
  int8: 'model_int8.onnx',
  q4: 'model_q4.onnx',
}

const BLOCKS = { int8: { bits: 8, size: 128 }, q4: { bits: 4, size: 32 } } as const

/** Integer arithmetic inside MatMulNBits: the fast level on a CPU. */
const ACCURACY_LEVEL = 4

export interface Linear {
  readonly name: string
  /** (outputs, inputs), row-major, as Hugging Face stores it. */
  readonly rows: Float32Array
  readonly outputs: number
  readonly inputs: number
}

/** Adds `x @ rows^T` in the format of a dtype. */
export function addLinear(model: OnnxModel, x: Value, linear: Linear, dtype: Dtype): Value {
  switch (dtype) {
    case 'fp32':
      return addFloat(model, x, linear)
    case 'q8':
      return addDynamic(model, x, linear)
    case 'int8':
    case 'q4':
      return addBlocks(model, x, linear, BLOCKS[dtype])
  }
}

function addFloat(model: OnnxModel, x: Value, { name, rows, outputs, inputs }: Linear): Value {
  const shape = [inputs, outputs]
  const data = transposed(rows, outputs, inputs)
  const weight = model.initializer(`${name}.weight`, { type: 'float32', shape, data })
  return model.node(name, 'MatMul', [x, weight])
}

function addDynamic(model: OnnxModel, x: Value, { name, rows, outputs, inputs }: Linear): Value {
  const scales = new Float32Array(outputs)
  const data = new Int8Array(inputs * outputs)
  const transposer = new Transposer(data, inputs, outputs)
  for (let output = 0; output < outputs; output++) {
    const row = rows.subarray(output * inputs, (output + 1) * inputs)
    const largest = row.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    const { tile, offset } = transposer.rowFor(output)
    scales[output] = quantiseRow(row, largest, tile, offset)
  }
  transposer.flush()
  const shape = [inputs, outputs]
  const weight = model.initializer(`${name}.weight`, { type: 'int8', shape, data })
  const scale = { type: 'float32', shape: [outputs], data: scales } as const
  const inner = [x, weight, model.initializer(`${name}.scale`, scale)]
  return model.node(name, 'DynamicQuantizeMatMul', inner, { domain: MICROSOFT })
}

function addBlocks(
  model: OnnxModel,
  x: Value,
  { name, rows, outputs, inputs }: Linear,
  block: { bits: 4 | 8; size: number },
): Value {
  const perRow = Math.ceil(inputs / block.size)
  const { packed, scales } = packBlocks({ rows, outputs, inputs }, block)
  const shape = [outputs, perRow, (block.size * block.bits) / 8]
  const weight = model.initializer(`${name}.weight`, { type: 'uint8', shape, data: packed })
  const scale = { type: 'float32', shape: [outputs * perRow], data: scales } as const
  return model.node(name, 'MatMulNBits', [x, weight, model.initializer(`${name}.scale`, scale)], {
    domain: MICROSOFT,
    attributes: {
      K: { int: inputs },
      N: { int: outputs },
      bits: { int: block.bits },
      block_size: { int: block.size },
      accuracy_level: { int: ACCURACY_LEVEL },
    },
  })
}

/** Unsigned values around the middle of their range, which is what an absent zero point means. */
function packBlocks(
  { rows, outputs, inputs }: Omit<Linear, 'name'>,
  { bits, size }: { bits: 4 | 8; size: number },
): { packed: Uint8Array; scales: Float32Array } {
  const perRow = Math.ceil(inputs / size)
  const middle = 2 ** (bits - 1)
  const packed = new Uint8Array((outputs * perRow * size * bits) / 8)
  const scales = new Float32Array(outputs * perRow)
  for (let block = 0; block < outputs * perRow; block++) {
    const start = Math.floor(block / perRow) * inputs + (block % perRow) * size
    const values = rows.subarray(start, start + Math.min(size, inputs - (block % perRow) * size))
    const scale = blockScale(values, middle)
    scales[block] = scale
    for (let i = 0; i < size; i++) {
      const value = Math.round((values[i] ?? 0) / scale) + middle
      const code = Math.max(0, Math.min(2 * middle - 1, value))
      const at = block * size + i
      if (bits === 8) packed[at] = code
      else packed[at >> 1] = (packed[at >> 1] as number) | (code << (4 * (at % 2)))
    }
  }
  return { packed, scales }
}

/** Sends the value of largest magnitude to the far end of the range, at -middle. */
function blockScale(values: Float32Array, middle: number): number {
  let extreme = 0
  for (const value of values) if (Math.abs(value) > Math.abs(extreme)) extreme = value
  return extreme === 0 ? 1 : extreme / -middle
}

function transposed(rows: Float32Array, outputs: number, inputs: number): Float32Array {
  const data = new Float32Array(rows.length)
  for (let row = 0; row < outputs; row++) {
    for (let i = 0; i < inputs; i++) data[i * outputs + row] = rows[row * inputs + i] as number
  }
  return data
}
