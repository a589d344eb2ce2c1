import { HEAD_ROWS_MIN, HIDDEN_BIAS, KEY_MULTIPLE } from './graph-contract.ts'
import type { ForwardRows } from '../decoding/rows.ts'

/**
 * From the rows of a batch to the graph's inputs. Pure: every function fills a buffer it is given.
 *
 * A sequence's rows lie in the order tail, group 0, group 1 ... Packed, they follow those of the
 * sequence before; spread, each sequence has as many places as the widest, the rest is padding. Its
 * keys lie in the order cached positions, its rows, then padding up to T.
 */

export interface SequenceInput {
  readonly rows: ForwardRows
  readonly cachedLength: number
}

export interface ForwardShape {
  /** B */
  readonly sequences: number
  /** N */
  readonly packedRows: number
  /** S, padded */
  readonly rows: number
  /** G */
  readonly headsPerGroup: number
  /** T, padded */
  readonly keys: number
}

export function forwardShape(batch: readonly SequenceInput[], headsPerGroup: number): ForwardShape {
  const counts = batch.map((sequence) => rowCount(sequence.rows))
  const rows = Math.max(rowsMin(headsPerGroup), ...counts)
  const keys = Math.max(...batch.map(({ cachedLength }) => cachedLength)) + rows
  const packedRows = counts.reduce((sum, count) => sum + count, 0)
  return { sequences: batch.length, packedRows, rows, headsPerGroup, keys: roundUpKeys(keys) }
}

/** The least S. */
export function rowsMin(headsPerGroup: number): number {
  return Math.ceil(HEAD_ROWS_MIN / headsPerGroup)
}

export function roundUpKeys(keys: number): number {
  return Math.ceil(keys / KEY_MULTIPLE) * KEY_MULTIPLE
}

export function rowCount({ tail, groups }: ForwardRows): number {
  return groups.reduce((sum, group) => sum + group.tokens.length, tail.length)
}

export interface RowBuffers {
  /** (N) */
  readonly ids: Int32Array
  /** (B, S) */
  readonly spread: Int32Array
  /** (N) */
  readonly packed: Int32Array
  /** (B, S) */
  readonly positions: BigInt64Array
}

/** Token ids, where they lie, and their positions; padding is row 0 at position 0. */
export function fillRows(
  { ids, spread, packed, positions }: RowBuffers,
  shape: ForwardShape,
  batch: readonly SequenceInput[],
): void {
  spread.fill(0)
  positions.fill(0n)
  let row = 0
  for (const [index, { rows, cachedLength }] of batch.entries()) {
    let place = index * shape.rows
    const add = (tokens: readonly number[], start: number): void => {
      for (const [i, token] of tokens.entries()) {
        ids[row] = token
        packed[row] = place
        spread[place] = row++
        positions[place++] = BigInt(start + i)
      }
    }
    add(rows.tail, cachedLength)
    for (const { tokens, afterTail } of rows.groups) add(tokens, cachedLength + afterTail)
  }
}

/**
 * Who sees whom, (B, 1, S*G, T): 0 where row i sees key j, HIDDEN_BIAS elsewhere; every row G times.
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
      const first = (index * shape.rows + row) * shape.headsPerGroup
      for (let copy = first; copy < first + shape.headsPerGroup; copy++) {
        bias.fill(0, copy * shape.keys + from, copy * shape.keys + to)
      }
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
   * Rows to read, of the N: per sequence the last `readTail` tail rows, then every group row.
   */
  readonly logitRows: number[]
  /** Indices into `logitRows`. */
  readonly entropyRows: number[]
  readonly topRows: number[]
}

export function selectRows(batch: readonly SequenceInput[]): RowSelectors {
  const selectors: RowSelectors = { logitRows: [], entropyRows: [], topRows: [] }
  let first = 0
  for (const { rows } of batch) {
    const total = rowCount(rows)
    for (let row = rows.tail.length - rows.readTail; row < total; row++) {
      const read = selectors.logitRows.push(first + row) - 1
      const isTail = row < rows.tail.length
      const wantsEntropy = rows.entropies === 'all' || (rows.entropies === 'groups' && !isTail)
      const wantsTop = rows.top === 'all' || (rows.top === 'tail' && isTail)
      if (wantsEntropy) selectors.entropyRows.push(read)
      if (wantsTop) selectors.topRows.push(read)
    }
    first += total
  }
  return selectors
}
