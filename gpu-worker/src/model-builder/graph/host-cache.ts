import { attentionBias } from './attention-bias.ts'
import type { CacheStage, LayerRows } from './cache-stage.ts'
import { constantInts, floatType } from './graph-builder.ts'
import type { GraphBuilder } from './graph-builder.ts'
import { GRAPH } from '../../engine/graph-contract.ts'
import type { Value } from '../onnx-model.ts'

/**
 * The cache is fed with every forward, and the new rows leave the graph. The Attention op scales by
 * 1/sqrt(D). The G query heads that share a key-value head go in as G rows of one head, which costs
 * no copy since they lie group-major: the op would otherwise arrange the same keys and values G
 * times.
 */
export function hostCache(builder: GraphBuilder): CacheStage {
  const { model, architecture } = builder
  const { heads, keyValueHeads, headSize } = architecture
  const keyValueSize = keyValueHeads * headSize
  const type = floatType(builder.precision)
  const bias = attentionBias(builder)
  const kept: Value[] = []
  model.input(GRAPH.writePositions, 'int64', ['B'])

  /** The cached rows with this forward's behind them: (B, T, KV*D). */
  const appended = (past: Value, rows: Value): Value => {
    model.input(past, type, ['B', 'T', keyValueSize])
    return model.node(`${past}.all`, 'TensorScatter', [past, rows, GRAPH.writePositions], {
      attributes: { axis: { int: 1 } },
    })
  }

  const attend = ({ layer, queries, keys, values }: LayerRows): Value => {
    const name = `layer.${layer}.attention`
    const groupRows = constantInts(builder, 'shape.group_rows', [0, -1, keyValueSize])
    const inputs = [
      model.node(`${name}.group_rows`, 'Reshape', [queries, groupRows]), // (B, S*G, KV*D)
      appended(GRAPH.pastKey(layer), keys),
      appended(GRAPH.pastValue(layer), values),
      bias,
    ]
    kept.push(keys, values)
    const mixed = model.node(`${name}.mixed`, 'Attention', inputs, {
      attributes: { q_num_heads: { int: keyValueHeads }, kv_num_heads: { int: keyValueHeads } },
    })
    const flat = constantInts(builder, 'shape.flat', [-1, heads * headSize])
    return model.node(`${name}.flat`, 'Reshape', [mixed, flat])
  }

  const finish = (): void => {
    model.node(GRAPH.newRows, 'Concat', kept, { attributes: { axis: { int: -1 } } })
    model.output(GRAPH.newRows, type, ['B', 'S', kept.length * keyValueSize])
  }
  return { attend, finish }
}
