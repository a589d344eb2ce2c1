import { HALF_MAX, roundToHalf, toHalves } from './float-formats.ts'
import { ModelError } from '../engine/model-error.ts'
import { copyRows, visitRows } from './matrix.ts'
import type { Matrix } from './matrix.ts'
import { tensorBytes } from './onnx-model.ts'
import type { LazyTensor, WeightSource } from './onnx-model.ts'
import { Q4_BLOCK, quantiseRow, quantiseRowQ4 } from './quantise-weights.ts'
import { Transposer } from './transposer.ts'

/** The forms in which a graph holds a matrix. Nothing is read before the graph is written. */

export type FloatType = 'float32' | 'float16'

const STORED_TYPES = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' } as const
export type StoredType = (typeof STORED_TYPES)[keyof typeof STORED_TYPES]

/** The type that a matrix has in its checkpoint; float32 if its parts differ. */
export function storedType({ parts }: Matrix): StoredType {
  const types = new Set(parts.map(({ tensor }) => STORED_TYPES[tensor.dtype]))
  return types.size === 1 ? [...types][0]! : 'float32'
}

export function tensorBytesOf({ inputs, outputs }: Matrix, type: StoredType): number {
  return tensorBytes({ type, shape: [outputs, inputs] })
}

/** For MatMul: (inputs, outputs). */
export function denseWeight(matrix: Matrix, type: FloatType): LazyTensor {
  const { inputs, outputs } = matrix
  const source = lazily(matrix, [{ type, shape: [inputs, outputs] }], async () => {
    const target = floatArray(type, inputs * outputs)
    const transposer = new Transposer(target, inputs, outputs)
    await visitRows(matrix, (output, values, largest) => {
      const { tile, offset } = transposer.rowFor(output)
      writeFloats(matrix, { values, largest }, tile, offset)
    })
    transposer.flush()
    return [target]
  })
  return source[0]!
}

/**
 * Rows as they are, (outputs, inputs): for Gather, or for Gemm with transB. The checkpoint's own type
 * is copied without a detour.
 */
export function rowsWeight(matrix: Matrix, type: StoredType): LazyTensor {
  const { inputs, outputs } = matrix
  const produce = async () => {
    if (type === storedType(matrix)) return [await copyRows(matrix)]
    if (type === 'bfloat16') throw new Error('rows are narrowed to float16 only')
    const target = floatArray(type, outputs * inputs)
    await visitRows(matrix, (output, values, largest) =>
      writeFloats(matrix, { values, largest }, target, output * inputs),
    )
    return [target]
  }
  return lazily(matrix, [{ type, shape: [outputs, inputs] }], produce)[0]!
}

/** int8 codes (inputs, outputs) with one scale per output: for MatMulIntegerToFloat. */
export function int8Weight(matrix: Matrix): { codes: LazyTensor; scales: LazyTensor } {
  const { inputs, outputs } = matrix
  const parts = [
    { type: 'int8', shape: [inputs, outputs] },
    { type: 'float32', shape: [outputs] },
  ] as const
  const [codes, scales] = lazily(matrix, parts, async () => {
    const target = new Int8Array(inputs * outputs)
    const scale = new Float32Array(outputs)
    const transposer = new Transposer(target, inputs, outputs)
    await visitRows(matrix, (output, values, largest) => {
      const { tile, offset } = transposer.rowFor(output)
      scale[output] = quantiseRow(values, largest, tile, offset)
    })
    transposer.flush()
    return [target, scale]
  })
  return { codes: codes!, scales: scales! }
}

/**
 * Symmetric 4-bit codes (outputs, inputs / 32, 16 bytes) with scales (outputs, inputs / 32): for
 * MatMulNBits without zero points, whose default of 8 is ours.
 *
 * @throws ModelError if the inputs are no multiple of 32.
 */
export function q4Weight(
  matrix: Matrix,
  type: FloatType,
): { codes: LazyTensor; scales: LazyTensor } {
  const { inputs, outputs } = matrix
  if (inputs % Q4_BLOCK !== 0) {
    const reason = `has rows of ${inputs} values, 4-bit weights need a multiple of ${Q4_BLOCK}`
    throw new ModelError(nameOf(matrix), reason)
  }
  const blocks = inputs / Q4_BLOCK
  const parts = [
    { type: 'uint8', shape: [outputs, blocks, Q4_BLOCK / 2] },
    { type, shape: [outputs, blocks] },
  ] as const
  const [codes, scales] = lazily(matrix, parts, async () => {
    const target = new Uint8Array((outputs * inputs) / 2)
    const scale = floatArray(type, outputs * blocks)
    const rowScales = new Float32Array(blocks)
    const round = type === 'float32' ? Math.fround : roundToHalf
    await visitRows(matrix, (output, values, largest) => {
      const row = target.subarray((output * inputs) / 2, ((output + 1) * inputs) / 2)
      quantiseRowQ4(values, round, row, rowScales)
      writeFloats(matrix, { values: rowScales, largest }, scale, output * blocks)
    })
    return [target, scale]
  })
  return { codes: codes!, scales: scales! }
}

type Part = Pick<LazyTensor, 'type' | 'shape'>

function lazily(
  matrix: Matrix,
  parts: readonly Part[],
  produce: WeightSource['produce'],
): LazyTensor[] {
  const source = { name: nameOf(matrix), produce }
  return parts.map((part, index) => ({ ...part, source, index }))
}

function nameOf({ parts }: Matrix): string {
  return parts[0]!.tensor.name
}

function floatArray(type: FloatType, length: number): Float32Array | Uint16Array {
  return type === 'float32' ? new Float32Array(length) : new Uint16Array(length)
}

function writeFloats(
  matrix: Matrix,
  { values, largest }: { values: Float32Array; largest: number },
  target: Float32Array | Uint16Array,
  offset: number,
): void {
  if (target instanceof Float32Array) return target.set(values, offset)
  if (largest > HALF_MAX) {
    throw new ModelError(nameOf(matrix), `holds ${largest}, more than float16 can (${HALF_MAX})`)
  }
  toHalves(values, target, offset)
}
