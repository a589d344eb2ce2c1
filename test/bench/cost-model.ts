/**
 * Predictions from a measured curve t(rows), the milliseconds of one forward by its rows (arXiv 2509.04185, Eq. 16):
 * a block of k tokens in l forwards costs t(2k) + (l - 1) t(k), the same tokens one by one k t(1).
 */

/** Milliseconds by rows. */
export type RowTimes = ReadonlyMap<number, number>

/** t(rows): linear between measured points, and beyond the last one along the last piece. */
export function timeOf(times: RowTimes, rows: number): number {
  const points = [...times].sort(([a], [b]) => a - b)
  const [first, ...rest] = points
  if (first === undefined) throw new Error('no curve was measured')
  if (rows <= first[0]) return first[1]
  let [low, high] = [first, rest[0] ?? first]
  for (const point of rest) {
    if (low[0] !== high[0] && high[0] >= rows) break
    if (point !== high) [low, high] = [high, point]
  }
  if (high[0] === low[0]) return low[1]
  return low[1] + ((high[1] - low[1]) * (rows - low[0])) / (high[0] - low[0])
}

/** One by one, and several at a time: masks bring their entropies along, which costs a little more. */
export interface Curves {
  readonly ntp: RowTimes
  readonly own: RowTimes
}

/** Eq. 16. */
export function speedupOf(
  { ntp, own }: Curves,
  { blockLength, forwardsPerBlock }: { blockLength: number; forwardsPerBlock: number },
): number {
  const block = timeOf(own, 2 * blockLength) + (forwardsPerBlock - 1) * timeOf(own, blockLength)
  return (blockLength * timeOf(ntp, 1)) / block
}

/** What one decoded prompt did. */
export interface Decoded {
  readonly blocks: number
  readonly forwards: number
}

/**
 * The denominator of Eq. 16 for texts that end inside a block: blocks and forwards are counted instead of taken as
 * full. The forward that gives the first token is left out, because it carries the prompt.
 */
export function blocksMs(own: RowTimes, blockLength: number, decoded: readonly Decoded[]): number {
  const fresh = total(decoded, ({ blocks }) => blocks - 1) * timeOf(own, 2 * blockLength)
  const again = total(decoded, ({ blocks, forwards }) => forwards - blocks)
  return fresh + again * timeOf(own, blockLength)
}

function total(decoded: readonly Decoded[], of: (each: Decoded) => number): number {
  return decoded.reduce((sum, each) => sum + of(each), 0)
}
