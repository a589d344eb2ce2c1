import type { PhaseSummary } from './tally.ts'

export interface KneeOptions {
  /** Requests a second to begin with. */
  readonly startRate: number
  /** Goodput follows as long as this share of the answers is good. */
  readonly goodShareMin: number
  /** Each step offers this many times the one before. */
  readonly growth: number
  readonly stepsMax: number
}

export const KNEE: KneeOptions = { startRate: 4, goodShareMin: 0.95, growth: 1.5, stepsMax: 12 }

/** One halving narrows the last step: growth 1.5 ends within a quarter of the knee. */
const HALVINGS = 2

/**
 * The highest rate found at which goodput still follows the offered load: up by a factor until it does not, then by
 * halves between the last two. 0 if it never did.
 */
export async function findKnee(
  measure: (rate: number) => Promise<Pick<PhaseSummary, 'goodShare'>>,
  { startRate, goodShareMin, growth, stepsMax }: KneeOptions = KNEE,
): Promise<number> {
  const follows = async (rate: number): Promise<boolean> =>
    (await measure(rate)).goodShare >= goodShareMin
  let [low, high] = [0, startRate]
  for (let step = 0; step < stepsMax && (await follows(high)); step++) {
    ;[low, high] = [high, high * growth]
  }
  if (low === 0) return 0
  for (let step = 0; step < HALVINGS; step++) {
    const middle = round((low + high) / 2)
    if (await follows(middle)) low = middle
    else high = middle
  }
  return round(low)
}

const round = (rate: number): number => Number(rate.toFixed(2))
