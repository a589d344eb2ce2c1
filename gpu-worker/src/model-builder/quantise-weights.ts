import type { Matrix } from './weights.ts'

export interface QuantisedMatrix {
  /** inputs x outputs, row-major, -127..127. */
  readonly values: Int8Array
  /** One per output column: weight = value * scale. */
  readonly scales: Float32Array
}

/** Largest magnitude used: -128 is left out so that the range is symmetric. */
export const INT8_MAX = 127

/** Symmetric int8 per output column; a column of zeros gets scale 1, so nothing divides by zero. */
export function quantiseColumns({ inputs, outputs, data }: Matrix): QuantisedMatrix {
  const scales = new Float32Array(outputs)
  for (let i = 0; i < inputs; i++) {
    for (let column = 0; column < outputs; column++) {
      const magnitude = Math.abs(data[i * outputs + column]!)
      if (magnitude > scales[column]!) scales[column] = magnitude
    }
  }
  for (const [column, largest] of scales.entries()) {
    scales[column] = largest === 0 ? 1 : largest / INT8_MAX
  }
  const values = new Int8Array(inputs * outputs)
  for (let i = 0; i < inputs; i++) {
    for (let column = 0; column < outputs; column++) {
      const value = Math.round(data[i * outputs + column]! / scales[column]!)
      values[i * outputs + column] = Math.max(-INT8_MAX, Math.min(INT8_MAX, value))
    }
  }
  return { values, scales }
}
