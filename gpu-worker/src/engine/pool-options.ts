import type { GraphFile, Manifest } from '@setblock/shared'

import { roundUpKeys, rowsMin } from './attention-mask.ts'
import type { KvPoolOptions, KvType } from './kv-pool.ts'

/** Mask groups of full length in one sequence's forward: verified decoding uses two. */
export const GROUPS_MAX = 4

/** The host cache that a model needs for so many sequences. */
export function poolOptions(
  manifest: Manifest,
  sequencesMax: number,
  type: KvType = 'float32',
): KvPoolOptions {
  const { architecture, contextLength, maxBlockLength } = manifest
  const rowsBehind = rowsMin(headsPerGroup(manifest)) + GROUPS_MAX * maxBlockLength
  return {
    type,
    sequencesMax,
    contextLength,
    planes: 2 * architecture.layers,
    rowLength: architecture.keyValueHeads * architecture.headSize,
    planePositions: roundUpKeys(contextLength + rowsBehind),
  }
}

export function headsPerGroup({ architecture }: Manifest): number {
  return architecture.heads / architecture.keyValueHeads
}

/** The type in which a graph's keys and values cross its boundary: that of its activations. */
export function kvType({ precision }: GraphFile): KvType {
  return precision === 'fp16' || precision === 'q4f16' ? 'float16' : 'float32'
}
