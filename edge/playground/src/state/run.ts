import type { DecodingFacts, RevealedToken, TimedEvent, Usage } from './events.ts'
import { CUT_STREAM, describeErrorEvent } from './failure.ts'
import type { Failure } from './failure.ts'

/** A token and how it came to be known. */
export interface PlacedToken extends RevealedToken {
  /** The decode forward that revealed it, from 0. */
  step: number
  block: number
}

/** `waiting` until the first event; the last three are final. */
export type RunStatus = 'waiting' | 'streaming' | 'done' | 'failed' | 'stopped'

/** Everything known of one generation: what its events add up to. */
export interface Run {
  status: RunStatus
  decoding?: DecodingFacts
  seed?: number
  promptTokens: number
  /** By position behind the prompt; a position that is not revealed yet is undefined. */
  tokens: readonly (PlacedToken | undefined)[]
  /** Tokens revealed by each decode forward. */
  reveals: readonly number[]
  text: string
  /** Milliseconds from sending the request; undefined until it happened. */
  firstRevealMs?: number
  firstTextMs?: number
  lastMs: number
  finishReason?: string
  usage?: Usage
  failure?: Failure
}

export const NEW_RUN: Run = {
  status: 'waiting',
  promptTokens: 0,
  tokens: [],
  reveals: [],
  text: '',
  lastMs: 0,
}

export const isOver = ({ status }: Run): boolean => status !== 'waiting' && status !== 'streaming'

/** Takes the next event of a stream. Pure; nothing changes once the run is over. */
export function takeEvent(run: Run, { atMs, event }: TimedEvent): Run {
  if (isOver(run)) return run
  const next: Run = { ...run, status: 'streaming', lastMs: atMs }
  switch (event.type) {
    case 'start':
      return {
        ...next,
        decoding: event.decoding,
        seed: event.seed,
        promptTokens: event.prompt_tokens,
      }
    case 'reveal':
      return { ...next, ...place(run, event), firstRevealMs: run.firstRevealMs ?? atMs }
    case 'text':
      return { ...next, text: run.text + event.delta, firstTextMs: run.firstTextMs ?? atMs }
    case 'end':
      return { ...next, status: 'done', finishReason: event.finish_reason, usage: event.usage }
    case 'error':
      return { ...next, status: 'failed', failure: describeErrorEvent(event.error) }
  }
}

/** The stream ended by itself: a run that has no last event was cut. */
export function endStream(run: Run): Run {
  return isOver(run) ? run : { ...run, status: 'failed', failure: CUT_STREAM }
}

export function failRun(run: Run, failure: Failure): Run {
  return isOver(run) ? run : { ...run, status: 'failed', failure }
}

/** The person in front of the page had enough. */
export function stopRun(run: Run): Run {
  return isOver(run) ? run : { ...run, status: 'stopped' }
}

function place(
  run: Run,
  event: { block: number; step: number; tokens: readonly RevealedToken[] },
): Pick<Run, 'tokens' | 'reveals'> {
  const { block, step } = event
  const tokens = [...run.tokens]
  const reveals = [...run.reveals]
  while (reveals.length <= step) reveals.push(0)
  reveals[step] = (reveals[step] ?? 0) + event.tokens.length
  for (const token of event.tokens) {
    const index = token.position - run.promptTokens
    while (tokens.length < index) tokens.push(undefined)
    tokens[index] = { ...token, step, block }
  }
  return { tokens, reveals }
}
