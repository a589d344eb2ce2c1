import type { TimedEvent } from './events.ts'
import type { Failure } from './failure.ts'
import { endStream, failRun, isOver, NEW_RUN, stopRun, takeEvent } from './run.ts'
import type { Run } from './run.ts'
import type { GenerateBody, Message } from './settings.ts'

/** A prompt and its answer. */
export interface Turn {
  id: number
  prompt: string
  body: GenerateBody
  run: Run
  events: readonly TimedEvent[]
}

export type ChatAction =
  | { type: 'send'; prompt: string; body: GenerateBody }
  | { type: 'events'; events: readonly TimedEvent[] }
  | { type: 'ended' }
  | { type: 'stopped' }
  | { type: 'failed'; failure: Failure }
  | { type: 'clear' }

/** Everything happens to the last turn: one answer is written at a time. */
export function stepChat(turns: readonly Turn[], action: ChatAction): readonly Turn[] {
  switch (action.type) {
    case 'send': {
      const { prompt, body } = action
      const id = (turns.at(-1)?.id ?? 0) + 1
      return [...turns, { id, prompt, body, run: NEW_RUN, events: [] }]
    }
    case 'events':
      return changeLast(turns, (turn) => ({
        ...turn,
        run: action.events.reduce(takeEvent, turn.run),
        events: [...turn.events, ...action.events],
      }))
    case 'ended':
      return changeLast(turns, (turn) => ({ ...turn, run: endStream(turn.run) }))
    case 'stopped':
      return changeLast(turns, (turn) => ({ ...turn, run: stopRun(turn.run) }))
    case 'failed':
      return changeLast(turns, (turn) => ({ ...turn, run: failRun(turn.run, action.failure) }))
    case 'clear':
      return []
  }
}

function changeLast(turns: readonly Turn[], change: (turn: Turn) => Turn): readonly Turn[] {
  const last = turns.at(-1)
  return last === undefined ? turns : [...turns.slice(0, -1), change(last)]
}

/** What was said so far, for a model that shall remember it. */
export function toMessages(turns: readonly Turn[], prompt: string): Message[] {
  const said = turns
    .filter(({ run }) => isOver(run) && run.text !== '')
    .flatMap((turn): Message[] => [
      { role: 'user', content: turn.prompt },
      { role: 'assistant', content: turn.run.text },
    ])
  return [...said, { role: 'user', content: prompt }]
}
