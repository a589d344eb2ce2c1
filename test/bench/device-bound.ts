import type { Architecture, GraphFile } from '@setblock/shared'
import { matrixParameters } from './row-bound.ts'

/** Bytes of one number, by the form of the graph: of a layer's matrices, of the head's, of a cached key. */
const BYTES = {
  int8: { layer: 1, head: 1, cached: 4 },
  fp32: { layer: 4, head: 4, cached: 4 },
  fp16: { layer: 2, head: 2, cached: 2 },
  /** Four bits, and a float16 scale for each 32 of them; the head is kept in float16. */
  q4f16: { layer: 0.5 + 2 / 32, head: 2, cached: 2 },
} as const satisfies Record<GraphFile['precision'], object>

/** Bytes that a forward of one sequence must read: every weight once, and the cached keys and values. */
export function bytesOfForward(
  architecture: Architecture,
  precision: GraphFile['precision'],
  cached: number,
): number {
  const { layers, keyValueHeads, headSize, hiddenSize, vocabularySize } = architecture
  const bytes = BYTES[precision]
  const head = vocabularySize * hiddenSize
  const layerParameters = matrixParameters(architecture) - head
  const perPosition = 2 * layers * keyValueHeads * headSize * bytes.cached
  return layerParameters * bytes.layer + head * bytes.head + cached * perPosition
}
