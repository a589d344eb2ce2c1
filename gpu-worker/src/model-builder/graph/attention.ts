import { constantInts } from './graph-builder.ts'
import type { GraphBuilder, Rows } from './graph-builder.ts'
import { linear } from './linear.ts'
import { rmsNorm } from './norm.ts'
import { GRAPH } from '../../engine/graph-contract.ts'
import { MICROSOFT, type Value } from '../onnx-model.ts'
import type { LayerWeights } from '../weights.ts'

export interface AttentionResult {
  /** (B, S, H*D), before the output projection. */
  readonly mixed: Value
  /** (B, S, KV*D) each: what the cache keeps of these rows, keys rotated. */
  readonly keys: Value
  readonly values: Value
}

/**
 * Grouped-query attention over the cached rows and this forward's rows; who sees whom is in
 * `attention_bias`. The op scales by 1/sqrt(D) and repeats key-value heads itself.
 */
export function attention(
  builder: GraphBuilder,
  layer: number,
  rows: Rows,
  weights: LayerWeights,
): AttentionResult {
  const { model, architecture } = builder
  const { heads, keyValueHeads, headSize } = architecture
  const name = `layer.${layer}.attention`
  const keyValueSize = keyValueHeads * headSize
  const joined = linear(builder, `${name}.qkv`, rows, weights.queryKeyValue)
  const sizes = constantInts(builder, 'qkv_sizes', [heads * headSize, keyValueSize, keyValueSize])
  const [query, key, values] = [`${name}.query`, `${name}.key`, `${name}.value`] as const
  model.multiNode(
    {
      name: `${name}.split`,
      op: 'Split',
      inputs: [joined, sizes],
      outputs: [query, key, values],
    },
    { attributes: { axis: { int: -1 } } },
  )
  const queries = rotate(builder, normHeads(builder, query, heads, weights.queryNorm), heads)
  const keys = rotate(
    builder,
    normHeads(builder, key, keyValueHeads, weights.keyNorm),
    keyValueHeads,
  )
  const inputs = [
    queries,
    appended(builder, GRAPH.pastKey(layer), keys),
    appended(builder, GRAPH.pastValue(layer), values),
    GRAPH.attentionBias,
  ]
  const mixed = model.node(`${name}.mixed`, 'Attention', inputs, {
    attributes: { q_num_heads: { int: heads }, kv_num_heads: { int: keyValueHeads } },
  })
  return { mixed, keys, values }
}

/** The cached rows with this forward's behind them: (B, T, KV*D). */
function appended(builder: GraphBuilder, past: Value, rows: Value): Value {
  const { keyValueHeads, headSize } = builder.architecture
  builder.model.input(past, 'float32', ['B', 'T', keyValueHeads * headSize])
  const inputs = [past, rows, GRAPH.writePositions]
  return builder.model.node(`${past}.all`, 'TensorScatter', inputs, {
    attributes: { axis: { int: 1 } },
  })
}

/** Norm of each head on its own, where the architecture has it. value (B, S, heads*D). */
function normHeads(
  builder: GraphBuilder,
  value: Value,
  heads: number,
  weight: Float32Array | undefined,
): Value {
  if (weight === undefined) return value
  const { model, architecture } = builder
  const { headSize } = architecture
  const apart = constantInts(builder, `shape.heads.${heads}`, [0, 0, heads, headSize])
  const together = constantInts(builder, `shape.joined.${heads}`, [0, 0, heads * headSize])
  const split = model.node(`${value}.heads`, 'Reshape', [value, apart])
  const normed = rmsNorm(builder, `${value}.norm`, split, weight)
  return model.node(`${value}.normed`, 'Reshape', [normed, together])
}

function rotate(builder: GraphBuilder, value: Value, heads: number): Value {
  const inputs = [value, GRAPH.positionIds, 'rope.cos', 'rope.sin']
  return builder.model.node(`${value}.rotated`, 'RotaryEmbedding', inputs, {
    domain: MICROSOFT,
    attributes: { num_heads: { int: heads } },
  })
}
