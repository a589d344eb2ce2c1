/** Weight of the newest forward in the running mean of forward times. */
const NEWEST_WEIGHT = 0.25

/**
 * How many forwards the rest of a job's latency budget pays for, at the pace at which the job's forwards come: what
 * other jobs of the batch cost is in it. Times are milliseconds of one clock.
 */
export class LatencyBudget {
  readonly #endMs: number
  #lastForwardMs: number | undefined
  #meanForwardMs: number | undefined

  constructor(endMs: number) {
    this.#endMs = endMs
  }

  /** A decode forward of the job has ended. */
  forwardDone(nowMs: number): void {
    const last = this.#lastForwardMs
    this.#lastForwardMs = nowMs
    if (last === undefined) return
    const mean = this.#meanForwardMs ?? nowMs - last
    this.#meanForwardMs = mean + NEWEST_WEIGHT * (nowMs - last - mean)
  }

  /** Whole forwards until the end; no bound before two forwards have shown how long one takes. */
  forwardsLeft(nowMs: number): number {
    const leftMs = this.#endMs - nowMs
    if (leftMs <= 0) return 0
    if (this.#meanForwardMs === undefined) return Number.POSITIVE_INFINITY
    return Math.floor(leftMs / this.#meanForwardMs)
  }
}
