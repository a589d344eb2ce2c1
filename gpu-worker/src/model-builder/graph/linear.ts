import { constantFloat, constantVector, floatType } from './graph-builder.ts'
import type { GraphBuilder, Rows } from './graph-builder.ts'
import { quantiseRows, ZERO_POINT } from './quantise.ts'
import type { Matrix } from '../matrix.ts'
import { MICROSOFT, type Value } from '../onnx-model.ts'
import { Q4_BLOCK } from '../quantise-weights.ts'
import { denseWeight, int8Weight, q4Weight } from '../weight-forms.ts'

/** Rows (..., inputs) times a constant matrix, plus its bias if it has one: (..., outputs). */
export function linear(builder: GraphBuilder, name: string, rows: Rows, matrix: Matrix): Value {
  if (matrix.bias === undefined) return product(builder, name, rows, matrix)
  const unbiased = product(builder, `${name}.unbiased`, rows, matrix)
  const bias = constantVector(builder, `${name}.bias`, matrix.bias)
  return builder.model.node(name, 'Add', [unbiased, bias])
}

function product(builder: GraphBuilder, name: string, rows: Rows, matrix: Matrix): Value {
  switch (builder.precision) {
    case 'fp32':
    case 'fp16':
      return builder.model.node(name, 'MatMul', [rows.value, floatWeight(builder, name, matrix)])
    case 'q4f16':
      return q4Product(builder, name, rows, matrix)
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
    case 'fp16':
    case 'q4f16': {
      // Not in 4 bits: the head is where their error decides the token.
      const weight = floatWeight(builder, name, matrix)
      const open = builder.model.node(`${name}.open`, 'MatMul', [rows.value, weight])
      return builder.model.node(name, 'Add', [open, penalty(HALF_PENALTY)])
    }
    case 'int8':
      // The bias is added before the row scale is multiplied in: with a scale of at least 1e-20 it
      // ends at -1e10 or below, without a pass of its own over the logits.
      return int8Linear(builder, name, rows, { matrix, bias: penalty(-1e30), scaleMin: 1e-20 })
  }
}

/** Near the least number of float16, with room for a logit on top. */
const HALF_PENALTY = -6e4

function floatWeight(builder: GraphBuilder, name: string, matrix: Matrix): Value {
  const weight = denseWeight(matrix, floatType(builder.precision))
  return builder.model.initializer(`${name}.weight`, weight)
}

/** 4-bit codes are multiplied as they lie: the op widens a block of them at a time. */
function q4Product(builder: GraphBuilder, name: string, rows: Rows, matrix: Matrix): Value {
  const { model } = builder
  const { inputs, outputs } = matrix
  const { codes, scales } = q4Weight(matrix, floatType(builder.precision))
  const weight = [
    model.initializer(`${name}.weight_q4`, codes),
    model.initializer(`${name}.weight_scale`, scales),
  ]
  return model.node(name, 'MatMulNBits', [rows.value, ...weight], {
    domain: MICROSOFT,
    attributes: {
      K: { int: inputs },
      N: { int: outputs },
      bits: { int: 4 },
      block_size: { int: Q4_BLOCK },
    },
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
  const { values, rowScales } = quantiseRows(builder, rows, options.scaleMin)
  const { codes, scales } = int8Weight(options.matrix)
  const weight = model.initializer(`${name}.weight_int8`, codes)
  const product = model.node(
    `${name}.product`,
    'MatMulIntegerToFloat',
    [
      values,
      weight,
      constantFloat(builder, 'unit_scale', 1), // the op takes one scale for all rows: ours follow
      model.initializer(`${name}.weight_scale`, scales),
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
