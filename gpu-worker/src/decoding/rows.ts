/** The rows of one sequence in one forward, and what comes back. Shared vocabulary of decoding and engine. */
export interface ForwardRows {
  /** Causal rows: token ids right after the cached prefix. May be empty. */
  readonly tail: readonly number[]
  /** Mask groups: each bidirectional inside itself, and blind to every other group. */
  readonly groups: readonly MaskGroup[]
  /** Results wanted for the last `readTail` tail rows. */
  readonly readTail: number
  /** Entropies and log probabilities (nats) wanted for no row, the rows of groups, or every read row, beside the ids. */
  readonly entropies: 'none' | 'groups' | 'all'
  /** Top-64 logits wanted for no row, the read tail rows, or every read row. */
  readonly top: 'none' | 'tail' | 'all'
}

export interface MaskGroup {
  /** Revealed token ids and mask ids, at positions cached + afterTail onwards. */
  readonly tokens: readonly number[]
  /** How many leading tail rows the group sees, besides the whole cached prefix. */
  readonly afterTail: number
}

/** Flat, in row order: the read tail rows, then the rows of group 0, group 1, ... */
export interface RowResults {
  /** [rows] most likely token. */
  readonly ids: Int32Array
  /** [rows] nats, of the untransformed distribution; NaN for rows it was not wanted for. */
  readonly entropies?: Float32Array
  /**
   * [rows] natural log of the untransformed probability of `ids`; there wherever entropies are. With top logits, that
   * of candidate i of a row is `topLogits[i] - topLogits[0] + logprobs[row]`.
   */
  readonly logprobs?: Float32Array
  /** [topRows, 64] token ids by descending logit. */
  readonly topIds?: Int32Array
  /** [topRows, 64] raw logits, descending. */
  readonly topLogits?: Float32Array
}

/** Candidates per row that leave the graph for sampling. */
export const TOP_CANDIDATES = 64
