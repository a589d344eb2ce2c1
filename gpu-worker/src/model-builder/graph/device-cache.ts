import { attentionBias } from './attention-bias.ts'
import type { CacheStage, LayerRows } from './cache-stage.ts'
import { constantFloat, constantInts, floatType } from './graph-builder.ts'
import type { GraphBuilder } from './graph-builder.ts'
import { GRAPH } from '../../engine/graph-contract.ts'
import type { Value } from '../onnx-model.ts'

/**
 * The cache stays on the device, in one pool of keys and one of values per layer, (KV, P, D). A
 * forward writes its rows into the places behind the cached ones, then attends to the places of its
 * sequences. Written in place: the caller feeds and fetches the same tensor.
 *
 * Attention is spelled out, since WebGPU has no kernel for one that is not causal over a batch. The
 * head comes first, so that a pool's rows are gathered into the layout that MatMul takes; the G
 * query heads of a key-value head are rows of one matrix.
 */
export function deviceCache(builder: GraphBuilder): CacheStage {
  const { model, architecture } = builder
  const { keyValueHeads, headSize } = architecture
  const type = floatType(builder.precision)
  const constants = sharedInputs(builder)

  const transposed = (name: string, value: Value, perm: readonly number[]): Value =>
    model.node(name, 'Transpose', [value], { attributes: { perm: { ints: perm } } })

  /** Writes rows (B, S, KV*D) into a pool; its places of all sequences: (KV, B, T, D). */
  const appended = (pool: Value, rows: Value): Value => {
    const updated = GRAPH.updated(pool)
    const shape = [keyValueHeads, 'P', headSize]
    model.input(pool, type, shape)
    const apart = constantInts(builder, 'shape.pool_rows', [-1, keyValueHeads, headSize])
    const split = model.node(`${pool}.rows`, 'Reshape', [rows, apart])
    const updates = transposed(`${pool}.updates`, split, [1, 0, 2])
    model.node(updated, 'ScatterElements', [pool, constants.writeIndex, updates], {
      attributes: { axis: { int: 1 } },
    })
    model.output(updated, type, shape)
    return model.node(`${pool}.all`, 'Gather', [updated, GRAPH.keyPlaces], {
      attributes: { axis: { int: 1 } },
    })
  }

  const attend = ({ layer, queries, keys, values }: LayerRows): Value => {
    const name = `layer.${layer}.attention`
    const allKeys = appended(GRAPH.keyPool(layer), keys)
    const allValues = appended(GRAPH.valuePool(layer), values)
    const groupRows = constantInts(builder, 'shape.group_rows', [0, -1, keyValueHeads, headSize])
    const rows = model.node(`${name}.group_rows`, 'Reshape', [queries, groupRows])
    const scaled = model.node(`${name}.scaled`, 'Mul', [
      transposed(`${name}.queries`, rows, [2, 0, 1, 3]), // (KV, B, S*G, D)
      constantFloat(builder, 'attention.scale', headSize ** -0.5),
    ])
    const turned = transposed(`${name}.keys`, allKeys, [0, 1, 3, 2])
    const products = model.node(`${name}.products`, 'MatMul', [scaled, turned])
    const scores = model.node(`${name}.scores`, 'Add', [products, constants.bias])
    const weights = model.node(`${name}.weights`, 'Softmax', [scores], {
      attributes: { axis: { int: -1 } },
    })
    const mixed = model.node(`${name}.mixed`, 'MatMul', [weights, allValues])
    const flat = constantInts(builder, 'shape.flat', [-1, architecture.heads * headSize])
    const joined = transposed(`${name}.joined`, mixed, [1, 2, 0, 3]) // (B, S*G, KV, D)
    return model.node(`${name}.flat`, 'Reshape', [joined, flat])
  }
  return { attend, finish: () => undefined }
}

/** What every layer takes: the bias as (1, B, S*G, T), and the place of each element written. */
function sharedInputs(builder: GraphBuilder): { bias: Value; writeIndex: Value } {
  const { model, architecture } = builder
  const { keyValueHeads, headSize } = architecture
  model.input(GRAPH.keyPlaces, 'int32', ['B', 'T'])
  model.input(GRAPH.writePlaces, 'int32', [1, 'B*S', 1])
  const headFirst = constantInts(builder, 'shape.bias', [1, -1, 0, 0])
  const bias = model.node('attention_bias.head_first', 'Reshape', [
    attentionBias(builder),
    headFirst,
  ])
  const everyElement = constantInts(builder, 'shape.write_index', [keyValueHeads, 1, headSize])
  const writeIndex = model.node('write_index', 'Expand', [GRAPH.writePlaces, everyElement])
  return { bias, writeIndex }
}
