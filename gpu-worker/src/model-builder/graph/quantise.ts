import { constantFloat, constantInts } from './graph-builder.ts'
import type { GraphBuilder, QuantisedValue, Rows } from './graph-builder.ts'
import type { Value } from '../onnx-model.ts'
import { INT8_MAX } from '../quantise-weights.ts'

/** uint8 code of 0: unsigned activations are what the fast integer kernels take. */
export const ZERO_POINT = 128

/**
 * Zero points for rows shaped like `shapeOf`: uint8 (...shapeOf's shape, 1). QuantizeLinear wants
 * one per scale, and the number of rows is known only in a run.
 */
export function zeroPointsFor(builder: GraphBuilder, name: string, shapeOf: Value): Value {
  if (builder.precision !== 'int8') return ''
  const { model } = builder
  const shape = model.node(`${name}.shape`, 'Shape', [shapeOf])
  const one = constantInts(builder, 'one', [1])
  const columnShape = model.node(`${name}.column_shape`, 'Concat', [shape, one], {
    attributes: { axis: { int: 0 } },
  })
  const fill = { type: 'uint8', shape: [1], data: Uint8Array.of(ZERO_POINT) } as const
  return model.node(name, 'ConstantOfShape', [columnShape], {
    attributes: { value: { tensor: fill } },
  })
}

/**
 * Rows to uint8, each with its own scale max|x| / 127: a row's codes depend on that row alone,
 * whatever shares its batch. Rows of zeros get scale 0, which turns whatever their codes are back
 * into zeros.
 */
export function quantiseRows(
  builder: GraphBuilder,
  rows: Rows,
  scaleMin: number | undefined,
): QuantisedValue {
  const known = builder.quantised.get(rows.value)
  if (known !== undefined) return known
  const { model } = builder
  const name = `${rows.value}.quantised`
  const magnitude = model.node(`${name}.abs`, 'Abs', [rows.value])
  const lastAxis = constantInts(builder, 'last_axis', [-1])
  const largest = model.node(`${name}.max`, 'ReduceMax', [magnitude, lastAxis], {
    attributes: { keepdims: { int: 1 } },
  })
  const step = constantFloat(builder, 'int8_step', 1 / INT8_MAX)
  let rowScales = model.node(`${name}.scale`, 'Mul', [largest, step])
  if (scaleMin !== undefined) {
    const floor = constantFloat(builder, `${name}.scale_min`, scaleMin)
    rowScales = model.node(`${name}.scale_floored`, 'Max', [rowScales, floor])
  }
  const values = model.node(name, 'QuantizeLinear', [rows.value, rowScales, rows.zeroPoints], {
    attributes: { axis: { int: -1 }, block_size: { int: rows.size } },
  })
  const result = { values, rowScales }
  builder.quantised.set(rows.value, result)
  return result
}
