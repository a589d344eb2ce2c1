const MINUTE_MS = 60_000

/** An amount that refills steadily to its capacity within a minute. */
export interface Bucket {
  /** What was left at `at`; below zero when more was used than was charged. */
  readonly level: number
  /** Unix milliseconds. */
  readonly at: number
}

export const fullBucket = (capacity: number, now: number): Bucket => ({ level: capacity, at: now })

/** The bucket as it is now. */
export function refill(bucket: Bucket, capacity: number, now: number): Bucket {
  const grown = bucket.level + (capacity * Math.max(0, now - bucket.at)) / MINUTE_MS
  return { level: Math.min(capacity, grown), at: Math.max(now, bucket.at) }
}

/** Takes an amount; a negative one gives back. */
export const take = ({ level, at }: Bucket, amount: number): Bucket => ({
  level: level - amount,
  at,
})

/** Milliseconds until the bucket, as it is now, holds an amount that fits into it. */
export function waitFor({ level }: Bucket, amount: number, capacity: number): number {
  return level >= amount ? 0 : Math.ceil(((amount - level) * MINUTE_MS) / capacity)
}
