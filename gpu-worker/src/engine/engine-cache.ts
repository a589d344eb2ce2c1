import type { ForwardShape } from './attention-mask.ts'
import type { SequenceId } from './engine.ts'
import type { Feeds, Outputs } from './onnx-graph.ts'

/** Rows of some sequences, ready to run. */
export interface GraphRun {
  readonly sequences: readonly SequenceId[]
  readonly shape: ForwardShape
  /** Every input that has nothing to do with the cache. */
  readonly feeds: Feeds
  readonly outputs: readonly string[]
}

/**
 * An engine's graph together with the keys and values of its sequences: where they are decides how a
 * forward reaches them and what a commit has to move. The engine checks what it is asked; this only
 * carries it out.
 */
export interface EngineCache {
  /** @throws ApiError `overloaded` if every slot is taken. */
  open(): SequenceId
  /** Wipes what the sequence cached. Idempotent. */
  close(sequence: SequenceId): void
  cachedLength(sequence: SequenceId): number
  /** The rows' keys and values can be committed until the sequence is in another run. */
  run(run: GraphRun): Promise<Outputs>
  /** Caches the first `rows` rows of the sequence's last run. */
  commit(sequence: SequenceId, rows: number): void
  /** Cached rows, row after row: keys and values of layer 0, of layer 1 ... */
  read(sequence: SequenceId, start: number, rows: number): Promise<Float32Array<ArrayBuffer>>
  /** Caches `rows` more positions, laid out as `read` gives them. */
  append(sequence: SequenceId, data: Float32Array, rows: number): Promise<void>
  /** @throws InvariantError */
  checkIntegrity(): void
  dispose(): Promise<void>
}
