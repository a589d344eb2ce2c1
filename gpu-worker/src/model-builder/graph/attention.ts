import { constantInts } from './graph-builder.ts'
import type { GraphBuilder, Rows } from './graph-builder.ts'
import { linear } from './linear.ts'
import { rmsNorm } from './norm.ts'
import { GRAPH } from '../../engine/graph-contract.ts'
import { MICROSOFT, type Value } from '../onnx-model.ts'
import type { LayerWeights } from '../weights.ts'

export interface AttentionResult {
  /** (N, H*D), before the output projection. */
  readonly mixed: Value
  /** (B, S, KV*D) each: what the cache keeps of these rows, keys rotated. */
  readonly keys: Value
  readonly values: Value
}

/**
 * Grouped-query attention over the cached rows and this forward's rows; who sees whom is in
 * `attention_bias`. The op scales by 1/sqrt(D).
 *
 * The rows are spread to (B, S) first and packed again afterwards. The G query heads that share a
 * key-value head go in as G rows of one head, which costs no copy since they lie group-major: the
 * op would otherwise arrange the same keys and values G times.
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
  const packed = linear(builder, `${name}.qkv`, rows, weights.queryKeyValue)
  const joined = model.node(`${name}.spread`, 'Gather', [packed, GRAPH.spreadRows])
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
  const groupRows = constantInts(builder, 'shape.group_rows', [0, -1, keyValueSize])
  const inputs = [
    model.node(`${name}.group_rows`, 'Reshape', [queries, groupRows]), // (B, S*G, KV*D)
    appended(builder, GRAPH.pastKey(layer), keys),
    appended(builder, GRAPH.pastValue(layer), values),
    GRAPH.attentionBias,
  ]
  const mixed = model.node(`${name}.mixed`, 'Attention', inputs, {
    attributes: { q_num_heads: { int: keyValueHeads }, kv_num_heads: { int: keyValueHeads } },
  })
  const flat = constantInts(builder, 'shape.flat', [-1, heads * headSize])
  const wide = model.node(`${name}.flat`, 'Reshape', [mixed, flat]) // (B*S, H*D)
  return { mixed: model.node(`${name}.packed`, 'Gather', [wide, GRAPH.packedRows]), keys, values }
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
