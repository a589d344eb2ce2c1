import type { Checkpoint } from './checkpoint.ts'
import { buildDecoder } from './graph/decoder.ts'
import type { Precision } from './graph/graph-builder.ts'
import { GRAPH_BYTES_MAX } from './limits.ts'
import { ModelError } from '../engine/model-error.ts'
import type { ProtobufMessage } from './protobuf.ts'

export interface GraphOptions {
  readonly precision: Precision
  /** Adds the `logits` output; for parity tests. */
  readonly logits?: boolean
}

export interface BuiltGraph {
  /** The ONNX file, in pieces. */
  readonly file: ProtobufMessage
  readonly nodeCount: number
}

/** The ONNX form of a checkpoint. Throws a ModelError if it is too large for one file. */
export function buildGraph(
  { architecture, source, weights }: Pick<Checkpoint, 'architecture' | 'source' | 'weights'>,
  { precision, logits = false }: GraphOptions,
): BuiltGraph {
  const model = buildDecoder(weights, {
    architecture,
    precision,
    logits,
    maskTokenId: source.maskTokenId,
    // A group may start where the context ends.
    positions: source.contextLength + 2 * source.maxBlockLength,
  })
  const file = model.serialize()
  if (file.byteLength > GRAPH_BYTES_MAX) {
    throw new ModelError(
      `graph.${precision}.onnx`,
      `would have ${file.byteLength} bytes, the limit is ${GRAPH_BYTES_MAX}`,
    )
  }
  return { file, nodeCount: model.nodeCount }
}
