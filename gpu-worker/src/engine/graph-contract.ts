/**
 * Names and shapes by which the model builder and the engine agree on a graph.
 *
 * N rows of all sequences together, B sequences, S rows of the widest of them, T key positions
 * (padded), R read rows, V vocabulary, L layers, KV key-value heads, G query heads to each of them,
 * D head size.
 *
 * | input | type, shape | content |
 * |---|---|---|
 * | input_ids | int32 (N) | sequence after sequence: tail tokens, then each group's tokens |
 * | spread_rows | int32 (B, S) | which of the N rows is row i of sequence b; padding any |
 * | packed_rows | int32 (N) | where those rows lie among the spread ones, as b*S + i |
 * | position_ids | int64 (B, S) | absolute positions, for RoPE |
 * | attention_bias | float (B, 1, S*G, T) | 0 where the row sees the key, HIDDEN_BIAS where not; G |
 * | | | times the same for each row |
 * | logit_rows | int32 (R) | rows to read, of the N |
 * | entropy_rows, top_rows | int32 (E), (P) | indices into the R read rows, one entry at least |
 *
 * | output | type, shape | content |
 * |---|---|---|
 * | ids | int32 (R) | most likely token |
 * | entropy | float (E) | of the softmax over the vocabulary, nats |
 * | logprob | float (E) | natural log of the softmax probability of the most likely token |
 * | top_values, top_ids | float, int32 (P, topKMax) | largest logits, descending |
 * | logits | float (R, V) | only in graphs built for parity tests |
 *
 * Where the cache is on the host, fed with every forward (CPU, CUDA):
 *
 * | input, output | type, shape | content |
 * |---|---|---|
 * | write_positions | int64 (B) | key position of each sequence's first row: its cached length |
 * | past_key.l, past_value.l | float (B, T, KV*D) | cached rows of layer l, keys already rotated |
 * | new_rows (out) | float (B, S, L*2*KV*D) | per row: keys then values of layer 0, of layer 1 ... |
 *
 * Where it stays on the device (WebGPU), in pools with P places:
 *
 * | input, output | type, shape | content |
 * |---|---|---|
 * | key_places | int32 (B, T) | place in the pools of each key position |
 * | write_places | int32 (1, B*S, 1) | place of each row: those behind the sequence's cached ones |
 * | key_pool.l, value_pool.l | float (KV, P, D) | keys already rotated |
 * | key_pool.l.updated ... (out) | the same | fetched into the very tensor that was fed |
 *
 * Only attention knows sequences: everything else runs on N rows without padding, so that a batch
 * costs by its rows however unequal its sequences are.
 *
 * A forward's own keys and values are written behind the cached ones before attention, so that a
 * token's key lies at the same index whether it is cached or among this forward's rows. Sums over
 * keys then run in the same order, and a row's result is the same to the last bit however the rows
 * before it were split over forwards (see KEY_MULTIPLE and HEAD_ROWS_MIN).
 *
 * The mask token is pushed out of reach in the head, so no output ever names it.
 */
export const GRAPH = {
  inputIds: 'input_ids',
  spreadRows: 'spread_rows',
  packedRows: 'packed_rows',
  positionIds: 'position_ids',
  attentionBias: 'attention_bias',
  logitRows: 'logit_rows',
  entropyRows: 'entropy_rows',
  topRows: 'top_rows',

  ids: 'ids',
  entropy: 'entropy',
  logprob: 'logprob',
  topValues: 'top_values',
  topIds: 'top_ids',
  logits: 'logits',

  writePositions: 'write_positions',
  pastKey: (layer: number) => `past_key.${layer}`,
  pastValue: (layer: number) => `past_value.${layer}`,
  newRows: 'new_rows',

  keyPlaces: 'key_places',
  writePlaces: 'write_places',
  keyPool: (layer: number) => `key_pool.${layer}`,
  valuePool: (layer: number) => `value_pool.${layer}`,
  updated: (pool: string) => `${pool}.updated`,
} as const

/** Every input of a graph with this many layers, by where its cache is. */
export function graphInputs(layers: number, cache: 'host' | 'device'): string[] {
  const { inputIds, spreadRows, packedRows, positionIds, attentionBias } = GRAPH
  const rows = [inputIds, spreadRows, packedRows, positionIds, attentionBias]
  const selectors = [GRAPH.logitRows, GRAPH.entropyRows, GRAPH.topRows]
  const places = cache === 'host' ? [GRAPH.writePositions] : [GRAPH.keyPlaces, GRAPH.writePlaces]
  return [...rows, ...selectors, ...places, ...planeNames(layers, cache)]
}

/** The inputs that hold the cache: keys of layer 0, values of layer 0, keys of layer 1 ... */
export function planeNames(layers: number, cache: 'host' | 'device'): string[] {
  const { pastKey, pastValue, keyPool, valuePool } = GRAPH
  const [key, value] = cache === 'host' ? [pastKey, pastValue] : [keyPool, valuePool]
  return Array.from({ length: layers }, (_, layer) => [key(layer), value(layer)]).flat()
}

/**
 * Added to the score of a key that a row must not see; large enough that its softmax weight is
 * exactly 0.
 */
export const HIDDEN_BIAS = -1e9

/**
 * T is a multiple of this: the runtime's vector loops then have no remainder, which would add up in
 * another order. It also makes shapes change rarely.
 */
export const KEY_MULTIPLE = 64

/**
 * S*G, the rows of one key-value head in attention, is at least this: the runtime multiplies a lone
 * row by another kernel, with other rounding.
 */
export const HEAD_ROWS_MIN = 2
