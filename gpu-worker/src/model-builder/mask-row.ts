import { ModelError } from '../engine/model-error.ts'
import { matrix, stacked, visitRows } from './matrix.ts'
import type { Matrix } from './matrix.ts'
import type { FileTensor } from './tensor-files.ts'

/**
 * A vocabulary matrix (embedding or head) in which the row of an added token is the mean of the rows
 * before it, as training/finetune.py starts one. The row replaces one of padding, or comes last.
 *
 * @throws ModelError if rows before it are missing: then tokenizer and weights do not belong together.
 */
export async function withMeanRow(tensor: FileTensor, row: number): Promise<Matrix> {
  const [rows, inputs] = tensor.shape as [number, number]
  if (row > rows) {
    throw new ModelError(
      tensor.name,
      `has ${rows} rows, the tokenizer has ${row} tokens: they do not belong together`,
    )
  }
  const before = stacked([{ tensor, rows: [0, row] }])
  const mean = memoryTensor(tensor.name, await meanRow(before), inputs)
  const parts = [...before.parts, ...matrix(mean).parts]
  return stacked(row + 1 < rows ? [...parts, { tensor, rows: [row + 1, rows] }] : parts)
}

async function meanRow(rows: Matrix): Promise<Float32Array> {
  const sums = new Float64Array(rows.inputs)
  await visitRows(rows, (_, values) => {
    for (let i = 0; i < sums.length; i++) sums[i]! += values[i]!
  })
  return Float32Array.from(sums, (sum) => sum / rows.outputs)
}

/** A tensor of one row that no file holds. */
function memoryTensor(name: string, values: Float32Array, inputs: number): FileTensor {
  return {
    name,
    shape: [1, inputs],
    dtype: 'F32',
    read: (begin, end) => Promise.resolve(values.slice(begin, end)),
    async *blocks() {
      yield { firstRow: 0, rows: 1, raw: new Uint8Array(values.slice().buffer) }
    },
  }
}
