/** Weight of the newest group in the mean of what groups promised. */
const NEWEST_WEIGHT = 0.2

/** How far one checked token moves the logarithm of the exponent, at most. */
const CALIBRATION_STEP = 0.1
const EXPONENT_MIN = 0.1
const EXPONENT_MAX = 16

/**
 * Before anything is known of a stream. A masked prediction is right more often than its own probability says, since
 * what makes it uncertain is often settled by the tokens before it, which the check has already confirmed. Measured on
 * setblock-nano, tasks and prose alike: a token of probability p is accepted with p^0.6 to p^0.7 (npm run eval:drafts).
 */
const FIRST_EXPONENT = 0.7
const FIRST_ACCEPTANCE = 0.85

/** Of a draft made where the draft before it failed: its masks did not see the token that was emitted instead. */
export const AFTER_FAILURE = 0.7

/**
 * How likely masked predictions are to hold, learnt from one stream alone: the probability that the model gives a draft
 * token, raised to an exponent that follows what was accepted of late. Deterministic in the stream's own results.
 */
export class Acceptance {
  /** Mean over the latest groups: chance that the token of mask i holds if those before it do. Index 0 is not used. */
  readonly #places: Float64Array
  #exponent = FIRST_EXPONENT
  #groups = 0

  constructor(blockLength: number) {
    this.#places = new Float64Array(blockLength).fill(FIRST_ACCEPTANCE)
  }

  /** Chance that a draft token of this log probability holds, if those before it do. */
  ofToken(logprob: number, afterFailure: boolean): number {
    return Math.exp(this.#exponent * logprob) * (afterFailure ? AFTER_FAILURE : 1)
  }

  /** What a group that has not run yet promises, mask by mask. */
  get places(): Readonly<Float64Array> {
    return this.#places
  }

  /** A group's log probabilities are known. What lies behind it is taken to be like its last mask. */
  groupSeen(logprobs: Float32Array): void {
    this.#groups += 1
    const weight = Math.max(NEWEST_WEIGHT, 1 / (this.#groups + 1))
    let chance = 1
    for (let place = 1; place < this.#places.length; place += 1) {
      const logprob = logprobs[place]
      if (logprob !== undefined) chance = Math.exp(this.#exponent * logprob)
      const mean = this.#places[place] as number
      this.#places[place] = mean + weight * (chance - mean)
    }
  }

  /** A token that was given this chance has been checked, all before it having held. */
  tokenChecked(chance: number, held: boolean): void {
    const exponent = this.#exponent * Math.exp(CALIBRATION_STEP * (chance - (held ? 1 : 0)))
    this.#exponent = Math.min(EXPONENT_MAX, Math.max(EXPONENT_MIN, exponent))
  }
}
