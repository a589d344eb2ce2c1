import { ApiError } from '@setblock/shared'
import type { EdgeLimits } from '../limits.ts'
import { fullBucket, refill, take, waitFor } from '../metering/bucket.ts'
import type { Bucket } from '../metering/bucket.ts'

/** Slows down whoever tries keys: counts failures by address, in this process or isolate. */
export interface FailureGuard {
  /** Throws too_many_failed_attempts while an address has to wait. */
  check(address: string): void
  /** Notes a failure of an address. */
  fail(address: string): void
}

export function createFailureGuard(options: {
  clock: () => number
  limits: Pick<EdgeLimits, 'failedAttemptsPerMinute' | 'failedAddressesMax'>
}): FailureGuard {
  const { clock, limits } = options
  const capacity = limits.failedAttemptsPerMinute
  const buckets = new Map<string, Bucket>()

  function current(address: string): Bucket {
    const now = clock()
    return refill(buckets.get(address) ?? fullBucket(capacity, now), capacity, now)
  }
  return {
    check(address) {
      if (!buckets.has(address)) return
      const waitMs = waitFor(current(address), 1, capacity)
      if (waitMs === 0) return
      throw new ApiError(
        'too_many_failed_attempts',
        'too many requests with wrong keys came from this address',
        { retryAfterSeconds: waitMs / 1000 },
      )
    },
    fail(address) {
      const bucket = take(current(address), 1)
      buckets.delete(address)
      buckets.set(address, bucket)
      if (buckets.size > limits.failedAddressesMax) {
        buckets.delete(buckets.keys().next().value as string)
      }
    },
  }
}
