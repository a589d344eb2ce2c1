/**
 * Names and shapes by which the model builder and the engine agree on a graph.
 *
 * B sequences, S rows of a sequence (padded), T cached positions (padded), R read rows, V vocabulary,
 * L layers, KV key-value heads, D head size.
 *
 * | input | type, shape | content |
 * |---|---|---|
 * | input_ids | int32 (B, S) | tail tokens, then each group's tokens, then padding |
 * | position_ids | int64 (B, S) | absolute positions, for RoPE |
 * | attention_bias | float (B, 1, S, T+S) | 0 where the row sees the key, HIDDEN_BIAS where not |
 * | past_key.l, past_value.l | float (B, KV, T, D) | cached rows of layer l, keys already rotated |
 * | logit_rows | int32 (R) | rows to read, as b*S + i |
 * | entropy_rows, top_rows | int32 (E), (P) | indices into the R read rows, one entry at least |
 *
 * | output | type, shape | content |
 * |---|---|---|
 * | ids | int32 (R) | most likely token |
 * | entropy | float (E) | of the softmax over the vocabulary, nats |
 * | top_values, top_ids | float, int32 (P, topKMax) | largest logits, descending |
 * | new_rows | float (B, S, L*2*KV*D) | per row: keys then values of layer 0, of layer 1 ... |
 * | logits | float (R, V) | only in graphs built for parity tests |
 *
 * The mask token is pushed out of reach in the head, so no output ever names it.
 */
export const GRAPH = {
  inputIds: 'input_ids',
  positionIds: 'position_ids',
  attentionBias: 'attention_bias',
  pastKey: (layer: number) => `past_key.${layer}`,
  pastValue: (layer: number) => `past_value.${layer}`,
  logitRows: 'logit_rows',
  entropyRows: 'entropy_rows',
  topRows: 'top_rows',

  ids: 'ids',
  entropy: 'entropy',
  topValues: 'top_values',
  topIds: 'top_ids',
  newRows: 'new_rows',
  logits: 'logits',
} as const

/** Added to the score of a key that a row must not see; large enough that its softmax weight is exactly 0. */
export const HIDDEN_BIAS = -1e9
