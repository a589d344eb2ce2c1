import { dtypeBytes, narrow, widen } from './float-formats.ts'
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
  const values = narrow(await meanRow(before), tensor.dtype)
  const mean = memoryTensor({ name: tensor.name, dtype: tensor.dtype, shape: [1, inputs] }, values)
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
function memoryTensor(
  facts: Pick<FileTensor, 'name' | 'dtype' | 'shape'>,
  raw: Uint8Array,
): FileTensor {
  return {
    ...facts,
    read(begin, end) {
      const values = new Float32Array(raw.length / dtypeBytes(facts.dtype))
      widen(raw, facts.dtype, values)
      return Promise.resolve(values.slice(begin, end))
    },
    async *blocks() {
      yield { firstRow: 0, rows: 1, raw }
    },
  }
}
