/** Resamples behind one interval. */
const RESAMPLES = 1000
const INTERVAL = 0.95

export interface Difference {
  /** Mean of b - a over the pairs. */
  readonly mean: number
  readonly low: number
  readonly high: number
}

/**
 * Paired bootstrap: the 95 % interval of the difference in accuracy between two settings that
 * answered the same rows. Rows are drawn with replacement, both answers of a row together.
 */
export function pairedDifference(a: readonly boolean[], b: readonly boolean[]): Difference {
  if (a.length !== b.length || a.length === 0) throw new RangeError('needs pairs')
  const pairs = a.map((right, row) => Number(b[row]) - Number(right))
  const random = xorshift(0x5eed)
  const means = Array.from({ length: RESAMPLES }, () => {
    let total = 0
    for (let draw = 0; draw < pairs.length; draw++) {
      total += pairs[Math.floor(random() * pairs.length)] as number
    }
    return total / pairs.length
  }).sort((x, y) => x - y)
  const at = (share: number): number => means[Math.round(share * (RESAMPLES - 1))] as number
  const mean = pairs.reduce((total, value) => total + value, 0) / pairs.length
  return { mean, low: at((1 - INTERVAL) / 2), high: at((1 + INTERVAL) / 2) }
}

/** Uniform in [0, 1), the same numbers every time (Marsaglia 2003). */
function xorshift(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
