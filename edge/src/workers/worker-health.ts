import type { EdgeLimits } from '../limits.ts'

/** What is remembered of a worker that failed; nothing is of one whose last answer came. */
export interface WorkerHealth {
  /** Failures since its last answer. */
  readonly failures: number
  /** Unix milliseconds until which it is asked only when all others have failed; 0: not ejected. */
  readonly ejectedUntil: number
}

export type HealthLimits = Pick<
  EdgeLimits,
  'workerFailuresMax' | 'workerEjectMs' | 'workerEjectMsMax' | 'workersMax' | 'workerAnswerMs'
>

/**
 * A worker is ejected after `workerFailuresMax` failures in a row, or at once when it said that it
 * goes; each further failure doubles the time.
 */
export function afterFailure(
  health: WorkerHealth | undefined,
  { now, leaving, limits }: { now: number; leaving: boolean; limits: HealthLimits },
): WorkerHealth {
  const counted = (health?.failures ?? 0) + 1
  const failures = leaving ? Math.max(counted, limits.workerFailuresMax) : counted
  const excess = failures - limits.workerFailuresMax
  if (excess < 0) return { failures, ejectedUntil: 0 }
  const ejectMs = Math.min(limits.workerEjectMs * 2 ** excess, limits.workerEjectMsMax)
  return { failures, ejectedUntil: now + ejectMs }
}

/**
 * A worker whose ejection is over gets one request to show itself: until that one has its answer,
 * others go on passing it by.
 */
export function afterAsking(
  health: WorkerHealth | undefined,
  { now, limits }: { now: number; limits: HealthLimits },
): WorkerHealth | undefined {
  if (health === undefined || health.ejectedUntil === 0 || isEjected(health, now)) return health
  return { ...health, ejectedUntil: now + limits.workerAnswerMs }
}

export function isEjected(health: WorkerHealth | undefined, now: number): boolean {
  return health !== undefined && now < health.ejectedUntil
}

/** The same order with the ejected workers behind all others: they are asked last, not never. */
export function askingOrder(
  urls: readonly string[],
  healthOf: (url: string) => WorkerHealth | undefined,
  now: number,
): string[] {
  const ejected = new Set(urls.filter((url) => isEjected(healthOf(url), now)))
  return [...urls.filter((url) => !ejected.has(url)), ...ejected]
}

/** The memory of one edge process, or of one isolate. */
export interface HealthMemory {
  order(urls: readonly string[]): string[]
  /** A request goes out to the worker. */
  asking(url: string): void
  /** It answered, be it with a refusal. */
  answered(url: string): void
  /** It could not be reached, broke off, or said that it goes. */
  failed(url: string, how?: { leaving: boolean }): void
}

export function createHealthMemory(options: {
  clock: () => number
  limits: HealthLimits
}): HealthMemory {
  const { clock, limits } = options
  const known = new Map<string, WorkerHealth>()

  function remember(url: string, health: WorkerHealth): void {
    // Latest last: those that left for good are the oldest, and go first.
    known.delete(url)
    known.set(url, health)
    if (known.size > limits.workersMax) known.delete(known.keys().next().value as string)
  }
  return {
    order: (urls) => askingOrder(urls, (url) => known.get(url), clock()),
    asking(url) {
      const health = afterAsking(known.get(url), { now: clock(), limits })
      if (health !== undefined) remember(url, health)
    },
    answered: (url) => void known.delete(url),
    failed(url, { leaving } = { leaving: false }) {
      remember(url, afterFailure(known.get(url), { now: clock(), leaving, limits }))
    },
  }
}
