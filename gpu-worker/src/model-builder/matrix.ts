import type { Architecture } from '@setblock/shared'

import { ModelError } from '../engine/model-error.ts'
import { dtypeBytes, widen } from './float-formats.ts'
import type { Dtype } from './float-formats.ts'
import type { FileTensor } from './tensor-files.ts'

/**
 * A linear layer's matrix as Hugging Face stores it, outputs x inputs, still in its files: it is
 * read row by row when the graph's weights are written.
 */
export interface Matrix {
  readonly inputs: number
  readonly outputs: number
  /** One below the other. */
  readonly parts: readonly MatrixPart[]
  /** Runs of columns that change places; none if absent. */
  readonly columnRuns?: ColumnRuns
  /** Added to the product, one per output. */
  readonly bias?: Float32Array
}

export interface MatrixPart {
  readonly tensor: FileTensor
  /** First row of the tensor and the one behind the last. */
  readonly rows: readonly [number, number]
  /** Where row i of this part goes among the part's rows; its own place if absent. */
  readonly place?: (row: number) => number
}

interface ColumnRuns {
  /** Columns of a run. */
  readonly length: number
  /** Where run i goes. */
  readonly place: (run: number) => number
}

export function matrix(tensor: FileTensor): Matrix {
  return stacked([{ tensor, rows: [0, tensor.shape[0]!] }])
}

export function stacked(parts: readonly MatrixPart[]): Matrix {
  const outputs = parts.reduce((sum, { rows: [begin, end] }) => sum + end - begin, 0)
  return { inputs: parts[0]!.tensor.shape[1]!, outputs, parts }
}

/**
 * Group-major order of query heads: head kv * G + g goes to place g * KV + kv, where G heads share
 * one of KV.
 */
export function groupMajorPlace({ heads, keyValueHeads }: Architecture): (head: number) => number {
  const group = heads / keyValueHeads
  return (head) => (head % group) * keyValueHeads + Math.floor(head / group)
}

/** `values`, valid during the call only, is one row; `largest` its largest magnitude. */
export type VisitRow = (output: number, values: Float32Array, largest: number) => void

/** Reads all rows, in the order of the file. @throws ModelError if a value is not finite. */
export async function visitRows(matrix: Matrix, visit: VisitRow): Promise<void> {
  const { inputs, columnRuns } = matrix
  const values = new Float32Array(inputs)
  const ordered = columnRuns === undefined ? values : new Float32Array(inputs)
  let firstOutput = 0
  for (const { tensor, rows, place = sameRow } of matrix.parts) {
    const rowBytes = inputs * dtypeBytes(tensor.dtype)
    for await (const block of tensor.blocks(...rows)) {
      for (let i = 0; i < block.rows; i++) {
        const raw = block.raw.subarray(i * rowBytes, (i + 1) * rowBytes)
        const largest = widen(raw, tensor.dtype, values)
        if (!Number.isFinite(largest)) throw notFinite(tensor)
        if (columnRuns !== undefined) placeRuns(values, ordered, columnRuns)
        visit(firstOutput + place(block.firstRow + i - rows[0]), ordered, largest)
      }
    }
    firstOutput += rows[1] - rows[0]
  }
}

/**
 * The bytes of all rows in the checkpoint's own format. For matrices whose rows and columns keep
 * their places. @throws ModelError if a value is not finite.
 */
export async function copyRows({ inputs, outputs, parts }: Matrix): Promise<Uint8Array> {
  const { dtype } = parts[0]!.tensor
  const target = new Uint8Array(outputs * inputs * dtypeBytes(dtype))
  let offset = 0
  for (const { tensor, rows } of parts) {
    for await (const { raw } of tensor.blocks(...rows)) {
      if (!isFinite(raw, dtype)) throw notFinite(tensor)
      target.set(raw, offset)
      offset += raw.length
    }
  }
  return target
}

/** In each format infinity and NaN are the values whose exponent bits are all set. */
function isFinite(raw: Uint8Array, dtype: Dtype): boolean {
  const exponent = { F32: 0x7f80, BF16: 0x7f80, F16: 0x7c00 }[dtype]
  const halves = new Uint16Array(raw.buffer, raw.byteOffset, raw.length / 2)
  const step = dtypeBytes(dtype) / 2 // the exponent is in the upper half of a float32
  for (let i = step - 1; i < halves.length; i += step) {
    if ((halves[i]! & exponent) === exponent) return false
  }
  return true
}

function notFinite({ name }: FileTensor): ModelError {
  return new ModelError(name, 'holds a value that is not finite')
}

const sameRow = (row: number): number => row

function placeRuns(from: Float32Array, to: Float32Array, { length, place }: ColumnRuns): void {
  for (let run = 0; run * length < from.length; run++) {
    to.set(from.subarray(run * length, (run + 1) * length), place(run) * length)
  }
}
