import { deviceCache } from './device-cache.ts'
import type { GraphBuilder } from './graph-builder.ts'
import { hostCache } from './host-cache.ts'
import type { Value } from '../onnx-model.ts'

/** One layer's projections of this forward's rows, normed and rotated. */
export interface LayerRows {
  readonly layer: number
  /** (B, S, G*KV*D), group-major */
  readonly queries: Value
  /** (B, S, KV*D) */
  readonly keys: Value
  readonly values: Value
}

/**
 * Where queries meet keys and values. A forward's own lie behind the cached ones, so that a token's
 * key has the same index whether it is cached or not; who sees whom is in `attention_bias`.
 */
export interface CacheStage {
  /** The mixed values of every row: (B*S, G*KV*D). */
  attend(rows: LayerRows): Value
  /** Outputs that need every layer. */
  finish(): void
}

/** CUDA has no handle for device memory in this runtime's binding, so its cache is the host's. */
export function cacheStage(builder: GraphBuilder): CacheStage {
  return builder.provider === 'webgpu' ? deviceCache(builder) : hostCache(builder)
}
