import { floatType } from './graph-builder.ts'
import type { GraphBuilder } from './graph-builder.ts'
import { GRAPH } from '../../engine/graph-contract.ts'
import { DATA_TYPES } from '../onnx-model.ts'
import type { Value } from '../onnx-model.ts'

/** Near the least number of float16: scores so far below the others weigh exactly 0 as well. */
const HALF_HIDDEN_BIAS = -6e4

/** `attention_bias` in the type of the scores; it is fed in float32, whatever that is. */
export function attentionBias(builder: GraphBuilder): Value {
  const { model, precision } = builder
  if (floatType(precision) === 'float32') return GRAPH.attentionBias
  const least = model.initializer('attention_bias.least', {
    type: 'float32',
    shape: [],
    data: Float32Array.of(HALF_HIDDEN_BIAS),
  })
  const bounded = model.node('attention_bias.bounded', 'Max', [GRAPH.attentionBias, least])
  return model.node('attention_bias.half', 'Cast', [bounded], {
    attributes: { to: { int: DATA_TYPES.float16 } },
  })
}
