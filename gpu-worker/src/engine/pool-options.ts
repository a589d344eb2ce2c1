import type { Manifest } from '@setblock/shared'

import { roundUpKeys, rowsMin } from './attention-mask.ts'
import type { KvPoolOptions } from './kv-pool.ts'

/** Mask groups of full length in one sequence's forward: verified decoding uses two. */
export const GROUPS_MAX = 4

/** The host cache that a model needs for so many sequences. */
export function poolOptions(manifest: Manifest, sequencesMax: number): KvPoolOptions {
  const { architecture, contextLength, maxBlockLength } = manifest
  const rowsBehind = rowsMin(headsPerGroup(manifest)) + GROUPS_MAX * maxBlockLength
  return {
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
