import type { TimedEvent } from './events.ts'
import { NEW_RUN, takeEvent } from './run.ts'
import type { Run } from './run.ts'

/** How long the longest lane of a replay takes on the clock of a person. */
const REPLAY_MS_PER_FORWARD = 320
const REPLAY_MS_MIN = 2_000
const REPLAY_MS_MAX = 12_000

/** When the forwards of a recorded run happened, in recorded milliseconds. */
export interface Timeline {
  forwards: number
  firstMs: number
  endMs: number
}

export function timelineOf(run: Run): Timeline {
  const firstMs = run.firstRevealMs ?? run.lastMs
  return { forwards: run.reveals.length, firstMs, endMs: Math.max(run.lastMs, firstMs) }
}

/**
 * How many times slower than recorded a replay of these timelines runs: one factor for all of them,
 * so that who was faster stays faster, and by as much.
 */
export function slowdown(timelines: readonly Timeline[]): number {
  const longestMs = Math.max(1, ...timelines.map(({ endMs }) => endMs))
  const forwards = Math.max(1, ...timelines.map((timeline) => timeline.forwards))
  const wantedMs = Math.min(
    REPLAY_MS_MAX,
    Math.max(REPLAY_MS_MIN, forwards * REPLAY_MS_PER_FORWARD),
  )
  return Math.max(1, wantedMs / longestMs)
}

/**
 * Forwards that are over at a recorded time. They are spread evenly between the first and the last
 * event, because a browser sees events in bursts, when the network hands them over.
 */
export function forwardsAt({ forwards, firstMs, endMs }: Timeline, atMs: number): number {
  if (atMs < firstMs || forwards === 0) return 0
  if (atMs >= endMs) return forwards
  const share = (atMs - firstMs) / (endMs - firstMs)
  return Math.min(forwards, 1 + Math.floor(share * (forwards - 1)))
}

/** The run as it was after some of its forwards; all of them give the run as it ended. */
export function runAfter(events: readonly TimedEvent[], run: Run, forwards: number): Run {
  if (forwards >= run.reveals.length) return run
  let past = NEW_RUN
  for (const timed of events) {
    const { event } = timed
    if (event.type === 'end' || (event.type === 'reveal' && event.step >= forwards)) break
    past = takeEvent(past, timed)
  }
  return past
}

/** The recorded time at which that many forwards are over: the inverse of `forwardsAt`. */
export function msOfForward({ forwards, firstMs, endMs }: Timeline, count: number): number {
  if (count <= 0) return 0
  if (count >= forwards) return endMs
  // A hair later, so that rounding does not undo the last step.
  const share = (count - 1) / (forwards - 1) + 1e-9
  return firstMs + share * (endMs - firstMs)
}
