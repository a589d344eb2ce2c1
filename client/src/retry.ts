import type { SetblockError } from './errors.ts'

export interface RetryOptions {
  /** Attempts after the first, in a row without any success between them. */
  retriesMax: number
  /** Wait before the first of them; each further one waits twice as long. */
  delayMs: number
}

/** No wait is longer, whatever the server advises: a person would have left. */
const DELAY_MS_MAX = 30_000

/**
 * Milliseconds to wait before retry `attempt` (from 0): what the server advised, else exponential, of which a random
 * half is left away so that clients which failed together do not return together.
 */
export function retryDelayMs(error: SetblockError, attempt: number, { delayMs }: RetryOptions) {
  const backoffMs = delayMs * 2 ** attempt * (1 - Math.random() / 2)
  return Math.min(error.retryAfterMs ?? backoffMs, DELAY_MS_MAX)
}

/** Resolves after `ms`, or at once when the signal aborts. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
