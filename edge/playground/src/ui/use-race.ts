import { useReducer, useRef, useState } from 'preact/hooks'
import { generate } from '../api/generate.ts'
import type { TimedEvent } from '../state/events.ts'
import type { Failure } from '../state/failure.ts'
import { NEW_RACE, raceOrder, stepRace } from '../state/race.ts'
import type { Lane, Race, Rival } from '../state/race.ts'
import { endStream, NEW_RUN, takeEvent } from '../state/run.ts'
import { toBody } from '../state/settings.ts'
import type { GenerateBody, Settings } from '../state/settings.ts'

export interface RaceStart {
  prompt: string
  rival: Rival
  rounds: number
  settings: Settings
}

export interface RaceControl {
  race: Race
  /** The rival's request in the latest race. */
  body: GenerateBody | undefined
  failure: Failure | undefined
  start(this: void, options: RaceStart): void
  stop(this: void): void
}

/** Runs the same prompt in both modes, one run after the other. */
export function useRace({ key, model }: { key: string; model: string }): RaceControl {
  const [race, dispatch] = useReducer(stepRace, NEW_RACE)
  const [failure, setFailure] = useState<Failure | undefined>(undefined)
  const [body, setBody] = useState<GenerateBody | undefined>(undefined)
  const controller = useRef<AbortController | undefined>(undefined)

  /** Whether the run came to its end. */
  async function runLane(lane: Lane, body: GenerateBody, signal: AbortSignal): Promise<boolean> {
    dispatch({ type: 'lane', lane })
    const events: TimedEvent[] = []
    const onEvents = (batch: readonly TimedEvent[]) => {
      events.push(...batch)
      dispatch({ type: 'events', events: batch })
    }
    const end = await generate({ key, body, signal, onEvents })
    if (end.how === 'stopped') return false
    const run = endStream(events.reduce(takeEvent, NEW_RUN))
    const failed = end.how === 'failed' ? end.failure : run.failure
    if (failed !== undefined) setFailure(failed)
    else dispatch({ type: 'finished', recording: { run, events } })
    return failed === undefined
  }

  async function runAll({ prompt, rival, rounds, settings }: RaceStart): Promise<void> {
    const { signal } = (controller.current = new AbortController())
    const messages = [{ role: 'user' as const, content: prompt }]
    // Both draw the same lots, so that what differs is the mode.
    const shared = { ...settings, seed: settings.seed ?? 1 }
    const bodies = {
      ntp: toBody({ ...shared, mode: 'ntp' }, { model, messages }),
      rival: toBody({ ...shared, mode: rival }, { model, messages }),
    }
    setFailure(undefined)
    setBody(bodies.rival)
    dispatch({ type: 'start', rival, rounds })
    for (const lane of raceOrder(rounds)) {
      const finished = await runLane(lane, bodies[lane], signal)
      if (!finished) return dispatch({ type: 'clear' })
    }
    dispatch({ type: 'over' })
  }
  return {
    race,
    body,
    failure,
    start: (options) => void runAll(options),
    stop: () => controller.current?.abort(),
  }
}
