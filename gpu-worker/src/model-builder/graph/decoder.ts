import type { Architecture } from '@setblock/shared'

import { attention } from './attention.ts'
import { cacheStage } from './cache-stage.ts'
import { embeddedRows } from './embedding.ts'
import type { GraphBuilder, Precision, Provider, Rows } from './graph-builder.ts'
import { head } from './head.ts'
import { linear } from './linear.ts'
import { mlp } from './mlp.ts'
import { addAndNorm, rmsNorm } from './norm.ts'
import { zeroPointsFor } from './quantise.ts'
import { addRopeTables } from './rope.ts'
import { GRAPH } from '../../engine/graph-contract.ts'
import { OnnxModel } from '../onnx-model.ts'
import type { ModelWeights } from '../weights.ts'

export interface DecoderOptions {
  readonly architecture: Architecture
  /** What the graph will run on: it decides how attention gets at the cache. */
  readonly provider: Provider
  readonly precision: Precision
  /** Rows of the RoPE tables: every position a run may name. */
  readonly positions: number
  readonly maskTokenId: number
  readonly logits: boolean
}

/**
 * The whole graph: embed, then per layer norm -> attention -> add and norm -> MLP -> add and norm,
 * then head. Inputs and outputs are those of `engine/graph-contract.ts`; where the cache is, is the
 * affair of attention alone.
 */
export function buildDecoder(weights: ModelWeights, options: DecoderOptions): OnnxModel {
  const { architecture, provider, precision } = options
  const model = new OnnxModel()
  const builder: GraphBuilder = {
    model,
    architecture,
    provider,
    precision,
    quantised: new Map(),
  }
  model.input(GRAPH.inputIds, 'int32', ['N'])
  model.input(GRAPH.positionIds, 'int64', ['B', 'S'])
  model.input(GRAPH.spreadRows, 'int32', ['B', 'S'])
  model.input(GRAPH.packedRows, 'int32', ['N'])
  model.input(GRAPH.attentionBias, 'float32', ['B', 1, 'S*G', 'T'])
  model.input(GRAPH.logitRows, 'int32', ['R'])
  addRopeTables(builder, options.positions)

  head(builder, decoderLayers(builder, weights), {
    weights: weights.head,
    maskTokenId: options.maskTokenId,
    logits: options.logits,
  })
  return model
}

/** Tokens to the read rows' normed hidden states (R, hidden). */
function decoderLayers(builder: GraphBuilder, weights: ModelWeights): Rows {
  const { model, architecture } = builder
  const { hiddenSize, heads, headSize } = architecture
  let zeroPoints = zeroPointsFor(builder, 'zero_points', GRAPH.inputIds)
  let residual = embeddedRows(builder, weights.embedding)
  let normed = rmsNorm(builder, 'layer.0.norm', residual, weights.layers[0]!.attentionNorm)
  const cache = cacheStage(builder)
  for (const [index, layer] of weights.layers.entries()) {
    const isLast = index === architecture.layers - 1
    const name = `layer.${index}`
    const hidden = { value: normed, size: hiddenSize, zeroPoints }
    let mixed = attention(builder, index, hidden, { weights: layer, cache })
    if (isLast) {
      // From here on only the read rows matter: the others have left their keys and values.
      mixed = model.node(`${name}.attention.read`, 'Gather', [mixed, GRAPH.logitRows])
      residual = model.node(`${name}.residual.read`, 'Gather', [residual, GRAPH.logitRows])
      zeroPoints = zeroPointsFor(builder, 'read_zero_points', GRAPH.logitRows)
    }
    const mixedRows = { value: mixed, size: heads * headSize, zeroPoints }
    const projected = linear(builder, `${name}.attention.out`, mixedRows, layer.attentionOutput)
    const middle = addAndNorm(builder, `${name}.mlp_norm`, [residual, projected], layer.mlpNorm)
    const mlpRows = { value: middle.normed, size: hiddenSize, zeroPoints }
    const update = mlp(builder, `${name}.mlp`, mlpRows, layer)
    const nextNorm = weights.layers[index + 1]?.attentionNorm ?? weights.finalNorm
    const end = addAndNorm(builder, `${name}.end`, [middle.sum, update], nextNorm)
    residual = end.sum
    normed = end.normed
  }
  cache.finish()
  return { value: normed, size: hiddenSize, zeroPoints }
}
