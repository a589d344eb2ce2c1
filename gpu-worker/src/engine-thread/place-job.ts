/** How busy one engine thread is. */
export interface EngineLoad {
  /** Jobs that wait or run there. */
  readonly jobs: number
  /** Their predicted work, milliseconds. */
  readonly workMs: number
}

/**
 * The thread that takes the next job: one that can start it at once before one where it would wait,
 * then the one with the least work; the first of equals.
 *
 * @param runningMax jobs that run at once in one thread
 */
export function placeJob(loads: readonly EngineLoad[], runningMax: number): number {
  let best = 0
  for (const [index, load] of loads.entries()) {
    if (isBetter(load, loads[best]!, runningMax)) best = index
  }
  return best
}

function isBetter(load: EngineLoad, than: EngineLoad, runningMax: number): boolean {
  const free = load.jobs < runningMax
  if (free !== than.jobs < runningMax) return free
  return load.workMs < than.workMs
}
