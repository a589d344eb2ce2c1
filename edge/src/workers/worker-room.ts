import { ApiError } from '@setblock/shared'
import type { Clock } from '../deps.ts'
import type { EdgeLimits } from '../limits.ts'
import type { EdgeMetrics, WithheldReason } from '../metrics/edge-metrics.ts'

/** What is known of one worker's room. */
interface Standing {
  /** Jobs that wait for its verdict. */
  waiting: number
  /** How long the last verdict took, milliseconds. */
  verdictMs: number
  /** Milliseconds of the clock until which its last refusal holds; 0: it has taken a job since. */
  fullUntil: number
  /** What it refused with. */
  refusal: ApiError | undefined
}

/**
 * Which workers may be offered a job. A worker that has just refused one for lack of room would refuse the next one
 * too, and one that has not answered many, or answers late, will not answer one more soon: such a job is refused here,
 * before it has cost either side anything. Otherwise a flood waits where nobody can refuse it, in event loops and sockets.
 */
export interface WorkerRoom {
  /** @throws ApiError `overloaded` if none of these may be offered a job; an empty list passes */
  assertAny(urls: readonly string[]): void
  /** Offers a job: `ask` settles with the worker's verdict. @throws ApiError `overloaded`, or what `ask` throws */
  offer<Answer>(url: string, ask: () => Promise<Answer>): Promise<Answer>
}

type RoomLimits = Pick<
  EdgeLimits,
  | 'workerVerdictsMax'
  | 'workerLateVerdictsMax'
  | 'workerLateVerdictMs'
  | 'workerFullMs'
  | 'workersMax'
>

interface Obstacle {
  readonly reason: WithheldReason
  readonly error: ApiError
}

export function createWorkerRoom(options: {
  clock: Clock
  limits: RoomLimits
  metrics: Pick<EdgeMetrics, 'withheld'>
}): WorkerRoom {
  const { clock, limits, metrics } = options
  const standings = new Map<string, Standing>()

  const obstacle = (url: string): Obstacle | undefined => {
    const standing = standings.get(url)
    return standing && obstacleOf(standing, clock(), limits)
  }

  function enter(url: string): Standing {
    const standing = standings.get(url) ?? {
      waiting: 0,
      verdictMs: 0,
      fullUntil: 0,
      refusal: undefined,
    }
    // Latest last: a worker that is gone for good is forgotten some time.
    standings.delete(url)
    standings.set(url, standing)
    standing.waiting += 1
    if (standings.size > limits.workersMax) {
      const oldest = [...standings].find(([, { waiting }]) => waiting === 0)
      if (oldest !== undefined) standings.delete(oldest[0])
    }
    return standing
  }

  return {
    assertAny(urls) {
      let first: Obstacle | undefined
      for (const url of urls) {
        const found = obstacle(url)
        if (found === undefined) return
        first ??= found
      }
      if (first === undefined) return
      metrics.withheld(first.reason)
      throw first.error
    },
    async offer(url, ask) {
      const found = obstacle(url)
      if (found !== undefined) {
        metrics.withheld(found.reason)
        throw found.error
      }
      const standing = enter(url)
      const offeredAt = clock()
      try {
        const answer = await ask()
        standing.fullUntil = 0
        return answer
      } catch (error) {
        if (error instanceof ApiError && error.code === 'overloaded') {
          standing.fullUntil = clock() + limits.workerFullMs
          standing.refusal = error
        }
        throw error
      } finally {
        standing.waiting -= 1
        standing.verdictMs = clock() - offeredAt
      }
    },
  }
}

/** Why a worker that stands like this may not be offered a job now, if it may not. */
function obstacleOf(standing: Standing, nowMs: number, limits: RoomLimits): Obstacle | undefined {
  const { waiting, verdictMs, fullUntil, refusal } = standing
  const late = verdictMs > limits.workerLateVerdictMs
  if (waiting >= (late ? limits.workerLateVerdictsMax : limits.workerVerdictsMax)) {
    const text = `the model worker has yet to answer ${waiting} requests`
    return { reason: 'unanswered', error: new ApiError('overloaded', text) }
  }
  const leftMs = fullUntil - nowMs
  // More is left than there was: the clock has been set back.
  if (refusal === undefined || leftMs <= 0 || leftMs > limits.workerFullMs) return undefined
  return { reason: 'full', error: refusal }
}
