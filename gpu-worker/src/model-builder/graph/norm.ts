import { constantVector } from './graph-builder.ts'
import type { GraphBuilder } from './graph-builder.ts'
import { MICROSOFT, type Value } from '../onnx-model.ts'

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

/** Residual addition and the norm after it, in one node. */
export function addAndNorm(
  builder: GraphBuilder,
  name: string,
  [residual, update]: readonly [Value, Value],
  weight: Float32Array,
): { normed: Value; sum: Value } {
  const sum = `${name}.sum`
  const scale = constantVector(builder, `${name}.weight`, weight)
  builder.model.multiNode(
    {
      name,
      op: 'SkipSimplifiedLayerNormalization',
      inputs: [residual, update, scale],
      outputs: [name, '', '', sum],
    },
    {
      domain: MICROSOFT,
      attributes: { epsilon: { float: builder.architecture.normEpsilon } },
    },
  )
  return { normed: name, sum }
}
