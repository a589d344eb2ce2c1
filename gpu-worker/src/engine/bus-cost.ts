import type { GraphFile, Manifest } from '@setblock/shared'

import { slotBytes } from './kv-pool.ts'
import { kvType, poolOptions } from './pool-options.ts'

/**
 * What a PCIe 4.0 bus of 16 lanes carries in practice, of 32 GB/s: a stated figure, not a measured
 * one.
 */
export const BUS_BYTES_PER_SECOND = 25e9

export interface BusCost {
  /** Positions of every sequence. */
  readonly positions: number
  /** Keys and values of one sequence that go to the device with each forward. */
  readonly bytes: number
  /** At BUS_BYTES_PER_SECOND. */
  readonly ms: number
}

/**
 * What a forward on CUDA sends over the bus for one sequence whose context is full, since the
 * runtime's binding for Node knows no tensors on that device: 2 * layers * KV*D * positions values.
 */
export function busCost(manifest: Manifest, form: GraphFile): BusCost {
  const pool = poolOptions(manifest, 1, kvType(form))
  const positions = manifest.contextLength
  const bytes = (slotBytes(pool) / pool.planePositions) * positions
  return { positions, bytes, ms: (bytes / BUS_BYTES_PER_SECOND) * 1000 }
}
