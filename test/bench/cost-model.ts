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

/** Eq. 16. */
export function speedupOf(
  times: RowTimes,
  { blockLength, forwardsPerBlock }: { blockLength: number; forwardsPerBlock: number },
): number {
  const block = timeOf(times, 2 * blockLength) + (forwardsPerBlock - 1) * timeOf(times, blockLength)
  return (blockLength * timeOf(times, 1)) / block
}

/** What one decoded prompt did. */
export interface Decoded {
  readonly tokens: number
  readonly blocks: number
  readonly forwards: number
}

/**
 * Eq. 16 for texts that end inside a block: blocks and forwards are counted instead of taken as full. The forward that
 * gives the first token is left out on both sides, because it carries the prompt.
 */
export function predictedBlocks(
  times: RowTimes,
  blockLength: number,
  decoded: readonly Decoded[],
): { ntpMs: number; sbdMs: number; speedup: number } {
  const [fresh, again] = [timeOf(times, 2 * blockLength), timeOf(times, blockLength)]
  const ntpMs = total(decoded, ({ tokens }) => tokens - 1) * timeOf(times, 1)
  const blocksMs = total(decoded, ({ blocks }) => blocks - 1) * fresh
  const sbdMs = blocksMs + total(decoded, (each) => each.forwards - each.blocks) * again
  return { ntpMs, sbdMs, speedup: ntpMs / sbdMs }
}

function total(decoded: readonly Decoded[], of: (each: Decoded) => number): number {
  return decoded.reduce((sum, each) => sum + of(each), 0)
}
