import type { EdgeDeps } from '../deps.ts'
import { DAY_MS } from './usage-store.ts'

/**
 * Deletes the usage records that are older than they are kept, a few at a time, so that requests get at the database in
 * between. Goes on at the next call where one call does not suffice. Never throws: the next call tries again.
 */
export async function forgetUsage(
  deps: Pick<EdgeDeps, 'usage' | 'usageDays' | 'clock' | 'limits' | 'log'>,
  signal?: AbortSignal,
): Promise<void> {
  const { usage, usageDays, clock, limits, log } = deps
  const before = clock() - usageDays * DAY_MS
  let records = 0
  try {
    for (let statement = 0; statement < limits.usageForgetStatementsMax; statement++) {
      const deleted = await usage.forget(before, limits.usageForgetRecordsMax)
      records += deleted
      if (deleted < limits.usageForgetRecordsMax) break
      await new Promise((resolve) => setTimeout(resolve, limits.usageForgetPauseMs))
      if (signal?.aborted === true) break
    }
  } catch (error) {
    log({ event: 'usage-not-forgotten', reason: String(error) })
  }
  if (records > 0) log({ event: 'usage-forgotten', records })
}
