import type { Job } from '@setblock/shared'
import { PREFILL_ROWS_MAX } from './plan-rows.ts'
import type { RowCost } from './row-cost.ts'

/**
 * Milliseconds that a job would take alone, at most: its prompt in full chunks, but for `cachedTokens` whose keys and
 * values it brings, then a forward for each of its tokens. Other modes and batches are faster and many jobs stop early;
 * how much is what the measured drain rate says.
 */
export function predictWorkMs(
  { tokenIds, maxTokens }: Job,
  cost: RowCost,
  cachedTokens: number,
): number {
  const promptRows = tokenIds.length - cachedTokens
  const promptMs = (promptRows / PREFILL_ROWS_MAX) * cost.ms(PREFILL_ROWS_MAX)
  return promptMs + maxTokens * cost.ms(1)
}
