import { constantVector } from './graph-builder.ts'
import type { GraphBuilder } from './graph-builder.ts'
import type { Value } from '../onnx-model.ts'

/** Root-mean-square norm over the last axis, times `weight`. */
export function rmsNorm(
  builder: GraphBuilder,
  name: string,
  value: Value,
  weight: Float32Array,
): Value {
  const scale = constantVector(builder, `${name}.weight`, weight)
  return builder.model.node(name, 'RMSNormalization', [value, scale], {
    attributes: {
      axis: { int: -1 },
      epsilon: { float: builder.architecture.normEpsilon },
    },
  })
}

/**
 * Residual addition and the norm after it. Two plain nodes: on CPU they take half the time of the
 * fused SkipSimplifiedLayerNormalization from 16 rows on.
 */
export function addAndNorm(
  builder: GraphBuilder,
  name: string,
  [residual, update]: readonly [Value, Value],
  weight: Float32Array,
): { normed: Value; sum: Value } {
  const sum = builder.model.node(`${name}.sum`, 'Add', [residual, update])
  return { normed: rmsNorm(builder, name, sum, weight), sum }
}
