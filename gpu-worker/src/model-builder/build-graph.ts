import type { Architecture, GraphFile } from '@setblock/shared'

import { buildDecoder } from './graph/decoder.ts'
import type { Precision } from './graph/graph-builder.ts'
import type { OnnxModel } from './onnx-model.ts'
import type { ModelSource } from './source.ts'
import type { ModelWeights } from './weights.ts'

export interface GraphOptions {
  /** 'cpu' if absent. */
  readonly provider?: GraphFile['provider']
  readonly precision: Precision
  /** Adds the `logits` output; for parity tests. */
  readonly logits?: boolean
}

/** What a graph is made of. */
export interface GraphSource {
  readonly architecture: Architecture
  readonly source: Pick<ModelSource, 'maskTokenId' | 'contextLength' | 'maxBlockLength'>
  readonly weights: ModelWeights
}

/** The ONNX form of a checkpoint, its weights still to be read. */
export function buildGraph(
  { architecture, source, weights }: GraphSource,
  { provider = 'cpu', precision, logits = false }: GraphOptions,
): OnnxModel {
  return buildDecoder(weights, {
    architecture,
    provider,
    precision,
    logits,
    maskTokenId: source.maskTokenId,
    // A group may start where the context ends.
    positions: source.contextLength + 2 * source.maxBlockLength,
  })
}
