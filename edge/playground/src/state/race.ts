import type { Mode } from '@setblock/shared'
import type { TimedEvent } from './events.ts'
import { countRun } from './counters.ts'
import { NEW_RUN, takeEvent } from './run.ts'
import type { Run } from './run.ts'

export type Rival = Exclude<Mode, 'ntp'>
export const LANES = ['ntp', 'rival'] as const
export type Lane = (typeof LANES)[number]

/** A finished run and what it was made of. */
export interface Recording {
  run: Run
  events: readonly TimedEvent[]
}

export interface Race {
  status: 'idle' | 'running' | 'over'
  rival: Rival
  /** Runs of each lane; the middle one by time is the one that counts. */
  rounds: number
  /** The lane that is running, and its run so far. */
  current?: { lane: Lane; run: Run }
  recordings: Readonly<Record<Lane, readonly Recording[]>>
}

export const NEW_RACE: Race = {
  status: 'idle',
  rival: 'sbd',
  rounds: 3,
  recordings: { ntp: [], rival: [] },
}

export type RaceAction =
  | { type: 'start'; rival: Rival; rounds: number }
  | { type: 'lane'; lane: Lane }
  | { type: 'events'; events: readonly TimedEvent[] }
  | { type: 'finished'; recording: Recording }
  | { type: 'over' }
  | { type: 'clear' }

export function stepRace(race: Race, action: RaceAction): Race {
  switch (action.type) {
    case 'start':
      return { ...NEW_RACE, status: 'running', rival: action.rival, rounds: action.rounds }
    case 'lane':
      return { ...race, current: { lane: action.lane, run: NEW_RUN } }
    case 'events': {
      if (race.current === undefined) return race
      const run = action.events.reduce(takeEvent, race.current.run)
      return { ...race, current: { ...race.current, run } }
    }
    case 'finished': {
      if (race.current === undefined) return race
      const { current, ...rest } = race
      const { recordings } = race
      const lane = [...recordings[current.lane], action.recording]
      return { ...rest, recordings: { ...recordings, [current.lane]: lane } }
    }
    case 'over': {
      const { current: _, ...rest } = race
      return { ...rest, status: 'over' }
    }
    case 'clear':
      return NEW_RACE
  }
}

/** Which lane runs when: each first in every other round, so that neither gains by its place. */
export function raceOrder(rounds: number): Lane[] {
  return Array.from({ length: rounds }, (_, round): Lane[] =>
    round % 2 === 0 ? ['ntp', 'rival'] : ['rival', 'ntp'],
  ).flat()
}

/** The recording whose time is the median; of an even number, the slower of the middle two. */
export function medianRecording(recordings: readonly Recording[]): Recording | undefined {
  const byTime = recordings.toSorted((a, b) => a.run.lastMs - b.run.lastMs)
  return byTime[Math.floor(byTime.length / 2)]
}

/** What the race showed: ratios say how many times as much `ntp` took. */
export interface Verdict {
  forwards: { ntp: number; rival: number; ratio: number }
  ms: { ntp: number; rival: number; ratio: number }
  sameText: boolean
}

export function judge(race: Race): Verdict | undefined {
  const ntp = medianRecording(race.recordings.ntp)?.run
  const rival = medianRecording(race.recordings.rival)?.run
  if (race.status !== 'over' || ntp === undefined || rival === undefined) return undefined
  const compare = (a: number, b: number) => ({ ntp: a, rival: b, ratio: b === 0 ? 1 : a / b })
  return {
    forwards: compare(countRun(ntp).forwards, countRun(rival).forwards),
    ms: compare(ntp.lastMs, rival.lastMs),
    sameText: ntp.text === rival.text,
  }
}
