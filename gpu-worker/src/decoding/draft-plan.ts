import { AFTER_FAILURE } from './acceptance.ts'

/** The speculative rows of one verified forward. */
export interface DraftPlan {
  /** Draft tokens to check. */
  readonly draft: number
  /** Masks of group A, behind the pending token; none or at least two. */
  readonly a: number
  /** Masks of group B, behind the checked draft; none or at least two. */
  readonly b: number
}

export interface DraftOptions {
  /** Chance of each draft token at hand, if those before it hold. */
  readonly chances: readonly number[]
  /** Chance of the token of mask i of a group still to run. */
  readonly places: Readonly<Float64Array>
  /** Tokens that may still follow the pending one. */
  readonly room: number
  /** Tokens that a row must bring to be worth its time. */
  readonly rowPrice: number
  readonly rowsMax: number
}

export const NO_DRAFT: DraftPlan = { draft: 0, a: 0, b: 0 }

/**
 * The rows that bring the most tokens over their price. A draft row brings its token if all before it hold. A group
 * brings the draft of the next forward, each token less the price of checking it: B if the whole draft holds, A if it
 * fails at token i, from mask i + 1 on. The first mask of a group names a token that the causal rows give anyway, so a
 * group of one would bring nothing.
 */
export function planDraft(options: DraftOptions): DraftPlan {
  const { chances, rowPrice, room, rowsMax } = options
  const whole = groupValues(options, { skipped: 0, chance: 1 })
  const failed = new Float64Array(whole.length) // of A by its length, over the failures within the draft
  let [best, bestValue] = [NO_DRAFT, 0]
  let [held, gain] = [1, 0]
  for (let draft = 0; draft <= Math.min(chances.length, room - 1, rowsMax); draft += 1) {
    if (draft > 0) {
      const chance = chances[draft - 1] as number
      const values = groupValues(options, { skipped: draft - 1, chance: AFTER_FAILURE })
      for (let masks = 0; masks < failed.length; masks += 1) {
        failed[masks] = (failed[masks] as number) + held * (1 - chance) * (values[masks] as number)
      }
      held *= chance
      gain += held - rowPrice
    }
    const rowsLeft = rowsMax - draft
    const b = bestLength(whole, held, rowPrice, Math.min(room - 1 - draft, rowsLeft))
    const a = bestLength(failed, 1, rowPrice, Math.min(room - 1, rowsLeft - b.masks))
    const value = gain + a.value + b.value
    if (value > bestValue) [best, bestValue] = [{ draft, a: a.masks, b: b.masks }, value]
  }
  return best
}

/**
 * By the number of masks: what a group's draft is worth that leaves out the first `skipped` tokens, and starts with
 * this `chance` beside what its places promise.
 */
function groupValues(
  { places, rowPrice }: DraftOptions,
  { skipped, chance }: { skipped: number; chance: number },
): Float64Array {
  const values = new Float64Array(places.length + 1)
  let [held, value] = [chance, 0]
  for (let place = skipped + 1; place < places.length; place += 1) {
    held *= places[place] as number
    value += Math.max(0, held - rowPrice)
    values[place + 1] = value
  }
  return values
}

/** The length that is worth most over the price of its masks, within `masksMax`. */
function bestLength(
  values: Float64Array,
  weight: number,
  rowPrice: number,
  masksMax: number,
): { masks: number; value: number } {
  let [best, bestValue] = [0, 0]
  // Values never fall with length, so that where rows are dear one look tells that no group pays.
  const most = weight * (values[values.length - 1] as number)
  if (most <= 2 * rowPrice) return { masks: best, value: bestValue }
  for (let masks = 2; masks <= Math.min(values.length - 1, masksMax); masks += 1) {
    const value = weight * (values[masks] as number) - rowPrice * masks
    if (value > bestValue) [best, bestValue] = [masks, value]
  }
  return { masks: best, value: bestValue }
}
