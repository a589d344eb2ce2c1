import type { ForwardRows, RowResults } from '../decoding/rows.ts'

/** Handle of an open sequence; never used twice in the life of an engine. */
export type SequenceId = number

export interface SequenceRows extends ForwardRows {
  readonly sequence: SequenceId
}

export interface EngineLimits {
  /** Sequences open at once, and so the largest batch. */
  readonly sequencesMax: number
  /** Positions one sequence can cache. */
  readonly contextLength: number
  /** Rows of one sequence in one forward: tail and groups together. */
  readonly rowsMax: number
  /** Rows of one mask group. */
  readonly maxBlockLength: number
}

/**
 * One model, its cache and its forwards. All calls come from one thread, and forwards one after
 * another. Only `open` fails for a reason that a client may see; any other misuse is an
 * InvariantError.
 */
export interface Engine {
  readonly limits: EngineLimits
  /** Takes a free sequence, with nothing cached. @throws ApiError `overloaded` if none is free. */
  open(): SequenceId
  /** Gives the sequence back and wipes its cache; nothing happens if it is closed already. */
  close(sequence: SequenceId): void
  /** Positions whose keys and values are cached. */
  cachedLength(sequence: SequenceId): number
  /**
   * One model evaluation of the whole batch; results in the batch's order. Caches nothing by
   * itself.
   */
  forward(batch: readonly SequenceRows[]): Promise<RowResults[]>
  /**
   * Caches the first `rows` tail rows that the last forward computed for this sequence and drops
   * the rest. At most once per sequence and forward, and before the next forward.
   */
  commit(sequence: SequenceId, rows: number): void
  /**
   * A copy of the cached keys and values of `rows` positions from `start` on, for `importRows` of
   * any sequence of this engine; what the numbers mean is the engine's own affair.
   */
  exportRows(sequence: SequenceId, start: number, rows: number): Promise<Float32Array<ArrayBuffer>>
  /** Caches `rows` more positions, as exported from the same place behind the same tokens. */
  importRows(sequence: SequenceId, data: Float32Array, rows: number): Promise<void>
  /** Frees the model. The engine is not usable afterwards. */
  dispose(): Promise<void>
}
