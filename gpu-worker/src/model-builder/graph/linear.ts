import { constantFloat, constantVector } from './graph-builder.ts'
import type { GraphBuilder, Rows } from './graph-builder.ts'
import { quantiseRows, ZERO_POINT } from './quantise.ts'
import { MICROSOFT, type Value } from '../onnx-model.ts'
import { quantiseColumns } from '../quantise-weights.ts'
import type { Matrix } from '../weights.ts'

/** Rows (..., inputs) times a constant matrix: (..., outputs). */
export function linear(builder: GraphBuilder, name: string, rows: Rows, matrix: Matrix): Value {
  switch (builder.precision) {
    case 'fp32':
      return builder.model.node(name, 'MatMul', [rows.value, floatWeight(builder, name, matrix)])
    case 'int8':
      return int8Linear(builder, name, rows, { matrix })
  }
}

/** As `linear` on rows (R, inputs), with the output columns of `blocked` pushed out of reach. */
export function linearWithout(
  builder: GraphBuilder,
  name: string,
  rows: Rows,
  { matrix, blocked }: { matrix: Matrix; blocked: readonly number[] },
): Value {
  const penalty = (value: number): Value => {
    const bias = new Float32Array(matrix.outputs)
    for (const column of blocked) bias[column] = value
    return constantVector(builder, `${name}.blocked`, bias)
  }
  switch (builder.precision) {
    case 'fp32': {
      const weight = floatWeight(builder, name, matrix)
      return builder.model.node(name, 'Gemm', [rows.value, weight, penalty(-1e9)])
    }
    case 'int8':
      // The bias is added before the row scale is multiplied in: with a scale of at least 1e-20 it
      // ends at -1e10 or below, without a pass of its own over the logits.
      return int8Linear(builder, name, rows, { matrix, bias: penalty(-1e30), scaleMin: 1e-20 })
  }
}

function floatWeight(builder: GraphBuilder, name: string, matrix: Matrix): Value {
  return builder.model.initializer(`${name}.weight`, {
    type: 'float32',
    shape: [matrix.inputs, matrix.outputs],
    data: matrix.data,
  })
}

/** uint8 rows x int8 columns in int32, exact; then the column scales and the row's scale. */
function int8Linear(
  builder: GraphBuilder,
  name: string,
  rows: Rows,
  options: { matrix: Matrix; bias?: Value; scaleMin?: number },
): Value {
  const { model } = builder
  const { inputs, outputs } = options.matrix
  const { values, rowScales } = quantiseRows(builder, rows, options.scaleMin)
  const { values: codes, scales } = quantiseColumns(options.matrix)
  const weight = model.initializer(`${name}.weight_int8`, {
    type: 'int8',
    shape: [inputs, outputs],
    data: codes,
  })
  const product = model.node(
    `${name}.product`,
    'MatMulIntegerToFloat',
    [
      values,
      weight,
      constantFloat(builder, 'unit_scale', 1), // the op takes one scale for all rows: ours follow
      constantVector(builder, `${name}.weight_scale`, scales),
      zeroPoint(builder),
      '',
      ...(options.bias === undefined ? [] : [options.bias]),
    ],
    { domain: MICROSOFT },
  )
  return model.node(name, 'Mul', [product, rowScales])
}

function zeroPoint(builder: GraphBuilder): Value {
  const tensor = { type: 'uint8', shape: [], data: Uint8Array.of(ZERO_POINT) } as const
  return builder.model.initializer('zero_point', tensor)
}
