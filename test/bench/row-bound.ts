import type { Architecture } from '@setblock/shared'
import type { MachinePeaks } from './machine-peaks.ts'

const FLOAT32_BYTES = 4

/** Parameters of the matrices that every row passes, one byte each in int8; an embedding is looked up, not multiplied. */
export function matrixParameters(architecture: Architecture): number {
  const { layers, hiddenSize, heads, keyValueHeads, headSize } = architecture
  const { intermediateSize, vocabularySize } = architecture
  const attention = (2 * heads + 2 * keyValueHeads) * headSize * hiddenSize
  return layers * (attention + 3 * hiddenSize * intermediateSize) + vocabularySize * hiddenSize
}

/** Bytes that one forward must read: every weight once, and the cached keys and values. */
export function forwardBytes(architecture: Architecture, cached: number): number {
  const { layers, keyValueHeads, headSize } = architecture
  const perPosition = 2 * layers * keyValueHeads * headSize * FLOAT32_BYTES
  return matrixParameters(architecture) + cached * perPosition
}

/** Multiplications and additions of one forward: the matrices, and queries by keys by values. */
export function forwardOperations(
  architecture: Architecture,
  { cached, rows }: { cached: number; rows: number },
): number {
  const { layers, heads, headSize } = architecture
  const attention = 4 * layers * heads * headSize * (cached + rows)
  return rows * (2 * matrixParameters(architecture) + attention)
}

/** Milliseconds below which no forward of this machine can be: the slower of reading and calculating. */
export function boundMs(
  architecture: Architecture,
  forward: { cached: number; rows: number },
  peaks: MachinePeaks,
): number {
  const reading = forwardBytes(architecture, forward.cached) / peaks.bytesPerSecond
  const calculating = forwardOperations(architecture, forward) / peaks.operationsPerSecond
  return 1000 * Math.max(reading, calculating)
}
