import type { JobDemand } from '../decoding/job-decoder.ts'
import type { RowCost } from './row-cost.ts'

/** Prompt rows of one forward, of all jobs together. */
export const PREFILL_ROWS_MAX = 256

/** Prompt rows that ride beside decoding streams even where the time allows none: a prompt always moves on. */
const PREFILL_ROWS_MIN = 16

/** How many times longer than without prompt rows a forward with decoding streams may take. */
const PREFILL_STRETCH = 3

/** Rows of one forward for decoding, of all jobs together; what each job needs at least is beyond it. */
const DECODE_ROWS_MAX = 512

/** What a stream gives and takes in one forward, on average of late. */
export interface StreamPace {
  readonly tokens: number
  readonly rows: number
}

/** Of a stream that has decoded nothing yet: plain decoding. */
export const FIRST_PACE: StreamPace = { tokens: 1, rows: 1 }

/** Rows over which the slope of the cost curve is taken: about as many as a stream's draft decides on. */
const SLOPE_ROWS = 8

/**
 * Share of the plain price that a row must bring. A step takes time besides its forward, which `cost` does not know: the
 * tokens per millisecond are overrated by it, and with them the price.
 */
const PRICE_SHARE = 0.85

/**
 * The price of a row: the tokens that all streams together make in the time that one more row takes. It rises with the
 * number of streams, so that they shorten their drafts before they slow each other down. Before anybody decodes it is
 * that of one stream at the start.
 */
export function rowPrice(cost: RowCost, decoding: readonly StreamPace[]): number {
  const streams = decoding.length === 0 ? [FIRST_PACE] : decoding
  const sum = (key: keyof StreamPace): number =>
    streams.reduce((total, stream) => total + stream[key], 0)
  const rows = sum('rows')
  const plain = streams.length / cost.ms(streams.length)
  const tokensPerMs = Math.max(plain, sum('tokens') / cost.ms(rows))
  const msPerRow = (cost.ms(rows + SLOPE_ROWS) - cost.ms(rows)) / SLOPE_ROWS
  return PRICE_SHARE * msPerRow * tokensPerMs
}

/**
 * The rows that each job gets in the next forward; 0: it sits this one out, which happens to prompts alone.
 *
 * Every decoding job gets what it needs, and of what it wants beyond that a fair share of DECODE_ROWS_MAX. Prompts share
 * as many rows as stretch the forward by PREFILL_STRETCH: no stream stalls behind a long prompt.
 */
export function planRows(demands: readonly JobDemand[], cost: RowCost): number[] {
  const of = (phase: JobDemand['phase'], rows: (demand: JobDemand) => number): number[] =>
    demands.map((demand) => (demand.phase === phase ? rows(demand) : 0))
  const least = of('decode', (demand) => demand.least)
  const extra = of('decode', ({ least: needed, wanted }) => wanted - needed)
  const extraGranted = shareFairly(extra, Math.max(0, DECODE_ROWS_MAX - sumOf(least)))
  const decodeRows = sumOf(least) + sumOf(extraGranted)
  const prompts = of('prefill', ({ wanted }) => wanted)
  const promptsGranted = shareFairly(prompts, prefillRows(decodeRows, cost))
  return demands.map((_, index) => least[index]! + extraGranted[index]! + promptsGranted[index]!)
}

function prefillRows(decodeRows: number, cost: RowCost): number {
  if (decodeRows === 0) return PREFILL_ROWS_MAX
  const rows = cost.rowsWithin(PREFILL_STRETCH * cost.ms(decodeRows), decodeRows + PREFILL_ROWS_MAX)
  return Math.max(PREFILL_ROWS_MIN, rows - decodeRows)
}

/**
 * Max-min fair: whoever wants less than an equal share gets all of it, the others share what is left. So a short prompt
 * never waits for a long one, and a long one never waits for all the short ones. Earlier entries get the odd rows.
 */
export function shareFairly(wanted: readonly number[], budget: number): number[] {
  const granted = wanted.map(() => 0)
  const order = [...wanted.keys()].filter((index) => wanted[index]! > 0)
  order.sort((a, b) => wanted[a]! - wanted[b]! || a - b)
  let left = budget
  for (const [rank, index] of order.entries()) {
    const share = Math.ceil(left / (order.length - rank))
    granted[index] = Math.min(wanted[index]!, share, left)
    left -= granted[index]
  }
  return granted
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}
