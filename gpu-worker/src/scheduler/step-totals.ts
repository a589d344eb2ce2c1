import type { ForwardDone } from './job-account.ts'

/** What the step loop has done since it started. Every number only rises, so several loops' add up. */
export interface StepTotals {
  /** Milliseconds spent in forwards. */
  busyMs: number
  /** Forwards that failed. */
  faults: number
  /** Forwards that jobs took part in, counted once for each job, by what they did for it. */
  prefillForwards: number
  decodeForwards: number
  /** Rows that neither cached a token nor gave one that was revealed or drafted. */
  wastedRows: number
  /** Prompt tokens computed; those that came as known keys and values are not. */
  prefilledTokens: number
  revealedTokens: number
  /** Drafts that were checked, their tokens, and those that the causal model agreed with. */
  drafts: number
  draftTokens: number
  acceptedTokens: number
}

export const noTotals = (): StepTotals => ({
  busyMs: 0,
  faults: 0,
  prefillForwards: 0,
  decodeForwards: 0,
  wastedRows: 0,
  prefilledTokens: 0,
  revealedTokens: 0,
  drafts: 0,
  draftTokens: 0,
  acceptedTokens: 0,
})

/** Adds one job's part in a forward: some additions, since it runs between any two forwards. */
export function addForward(totals: StepTotals, { phase, rows, outcome }: ForwardDone): void {
  if (phase === 'prefill') {
    totals.prefillForwards += 1
    totals.prefilledTokens += outcome.commit
  } else totals.decodeForwards += 1
  totals.wastedRows += rows - outcome.usedRows
  totals.revealedTokens += outcome.reveal?.positions.length ?? 0
  const { draft } = outcome
  if (draft === undefined || draft.length === 0) return
  totals.drafts += 1
  totals.draftTokens += draft.length
  totals.acceptedTokens += draft.accepted
}
