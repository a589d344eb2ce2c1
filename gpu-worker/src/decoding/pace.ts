/** Where a job with a latency budget stands. */
export interface Pace {
  /** Positions that are still masked, in this block and behind it. */
  readonly tokensLeft: number
  /** Those of this block. */
  readonly open: number
  /** Forwards that the rest of the budget still pays for, the one just done not counted. May be below 0. */
  readonly forwardsLeft: number
  /** Positions a forward that the rule has revealed by itself so far. */
  readonly byRule: number
}

/**
 * The fewest positions of this block to reveal now, so that all are revealed when the budget ends; 0 if the rule will do
 * at the pace it has shown. A block takes a whole number of forwards; rounded down, it is done in time, and what that
 * gains goes to the blocks behind it.
 */
export function leastReveals({ tokensLeft, open, forwardsLeft, byRule }: Pace): number {
  if (tokensLeft <= byRule * forwardsLeft) return 0
  const perForward = tokensLeft / (1 + Math.max(0, Math.floor(forwardsLeft)))
  const forwardsForBlock = Math.max(1, Math.floor(open / perForward))
  return Math.ceil(open / forwardsForBlock)
}
