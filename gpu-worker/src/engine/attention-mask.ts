import { HIDDEN_BIAS, KEY_MULTIPLE, ROWS_MIN } from './graph-contract.ts'
import type { ForwardRows } from '../decoding/rows.ts'

/**
 * From the rows of a batch to the graph's inputs. Pure: every function fills a buffer it is given.
 *
 * A sequence's rows lie in the order tail, group 0, group 1 ..., then padding up to the longest
 * sequence. Its keys lie in the order cached positions, its rows, then padding up to T.
 */

export interface SequenceInput {
  readonly rows: ForwardRows
  readonly cachedLength: number
}

export interface ForwardShape {
  /** B */
  readonly sequences: number
  /** S, padded */
  readonly rows: number
  /** T, padded */
  readonly keys: number
}

export function forwardShape(batch: readonly SequenceInput[]): ForwardShape {
  const rows = Math.max(ROWS_MIN, ...batch.map((sequence) => rowCount(sequence.rows)))
  const keys = Math.max(...batch.map(({ cachedLength }) => cachedLength)) + rows
  return { sequences: batch.length, rows, keys: roundUpKeys(keys) }
}

export function roundUpKeys(keys: number): number {
  return Math.ceil(keys / KEY_MULTIPLE) * KEY_MULTIPLE
}

export function rowCount({ tail, groups }: ForwardRows): number {
  return groups.reduce((sum, group) => sum + group.tokens.length, tail.length)
}

/** Token ids (B, S) and their positions (B, S); padding is token 0 at position 0. */
export function fillTokens(
  { ids, positions }: { ids: Int32Array; positions: BigInt64Array },
  shape: ForwardShape,
  batch: readonly SequenceInput[],
): void {
  ids.fill(0)
  positions.fill(0n)
  for (const [index, { rows, cachedLength }] of batch.entries()) {
    let row = index * shape.rows
    const place = (tokens: readonly number[], start: number): void => {
      for (const [i, token] of tokens.entries()) {
        ids[row] = token
        positions[row++] = BigInt(start + i)
      }
    }
    place(rows.tail, cachedLength)
    for (const { tokens, afterTail } of rows.groups) place(tokens, cachedLength + afterTail)
  }
}

/**
 * Who sees whom, (B, 1, S, T): 0 where row i sees key j, HIDDEN_BIAS elsewhere.
 * - A tail row sees the cache and the tail up to itself.
 * - A group row sees the cache, the first `afterTail` tail rows and its whole group.
 * - A padding row sees itself: softmax must have something to weigh.
 */
export function fillAttentionBias(
  bias: Float32Array,
  shape: ForwardShape,
  batch: readonly SequenceInput[],
): void {
  bias.fill(HIDDEN_BIAS)
  for (const [index, { rows, cachedLength }] of batch.entries()) {
    let row = 0
    const see = (from: number, to: number): void => {
      const start = (index * shape.rows + row) * shape.keys
      bias.fill(0, start + from, start + to)
    }
    for (; row < rows.tail.length; row++) see(0, cachedLength + row + 1)
    for (const { tokens, afterTail } of rows.groups) {
      const first = cachedLength + row
      for (const end = row + tokens.length; row < end; row++) {
        see(0, cachedLength + afterTail)
        see(first, first + tokens.length)
      }
    }
    for (; row < shape.rows; row++) see(cachedLength + row, cachedLength + row + 1)
  }
}

export interface RowSelectors {
  /**
   * Rows to read, flattened b*S + i: per sequence the last `readTail` tail rows, then every group
   * row.
   */
  readonly logitRows: number[]
  /** Indices into `logitRows`. */
  readonly entropyRows: number[]
  readonly topRows: number[]
}

export function selectRows(shape: ForwardShape, batch: readonly SequenceInput[]): RowSelectors {
  const selectors: RowSelectors = { logitRows: [], entropyRows: [], topRows: [] }
  for (const [index, { rows }] of batch.entries()) {
    const first = index * shape.rows
    const total = rowCount(rows)
    for (let row = rows.tail.length - rows.readTail; row < total; row++) {
      const read = selectors.logitRows.push(first + row) - 1
      if (rows.entropies) selectors.entropyRows.push(read)
      const wanted = rows.top === 'all' || (rows.top === 'tail' && row < rows.tail.length)
      if (wanted) selectors.topRows.push(read)
    }
  }
  return selectors
}
