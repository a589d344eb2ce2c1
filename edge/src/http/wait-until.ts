import type { Context } from 'hono'

/** Keeps the platform from dropping work when a client leaves; without a platform it just runs. */
export function waitUntil(c: Context, work: Promise<unknown>): void {
  let context: Context['executionCtx'] | undefined
  try {
    context = c.executionCtx
  } catch {
    // Hono has no other way to tell that there is none.
  }
  context?.waitUntil(work)
}
