import type { CacheStage } from './cache-stage.ts'
import { constantInts } from './graph-builder.ts'
import type { GraphBuilder, Rows } from './graph-builder.ts'
import { linear } from './linear.ts'
import { rmsNorm } from './norm.ts'
import { GRAPH } from '../../engine/graph-contract.ts'
import { MICROSOFT, type Value } from '../onnx-model.ts'
import type { LayerWeights } from '../weights.ts'

/** A layer's weights, and the cache that its rows are written to and read from. */
export interface AttentionOptions {
  readonly weights: LayerWeights
  readonly cache: CacheStage
}

/**
 * Grouped-query attention over the cached rows and this forward's rows, up to the output
 * projection: (N, H*D). The rows are spread to (B, S) first and packed again afterwards.
 */
export function attention(
  builder: GraphBuilder,
  layer: number,
  rows: Rows,
  { weights, cache }: AttentionOptions,
): Value {
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
  const mixed = cache.attend({ layer, queries, keys, values })
  return model.node(`${name}.packed`, 'Gather', [mixed, GRAPH.packedRows])
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
