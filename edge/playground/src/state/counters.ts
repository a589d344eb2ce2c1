import type { Run } from './run.ts'

/** The figures of a run: its own while it lasts, and the server's accounting once that is there. */
export interface Counters {
  tokens: number
  /** Decode forwards. */
  forwards: number
  tokensPerForward: number | undefined
  /** Forwards that one token at a time would have needed beyond these; negative if fewer. */
  forwardsSaved: number
  /** From sending the request to the last event, as this browser saw it. */
  tokensPerSecond: number | undefined
  /** From sending the request to the first text. */
  ttftMs: number | undefined
  totalMs: number
}

export function countRun(run: Run): Counters {
  const { usage, lastMs, firstTextMs } = run
  const revealed = run.reveals.reduce((sum, count) => sum + count, 0)
  const tokens = usage?.completion_tokens ?? revealed
  const forwards = usage?.forward_passes_details.decode ?? run.reveals.length
  return {
    tokens,
    forwards,
    tokensPerForward: forwards === 0 ? undefined : tokens / forwards,
    forwardsSaved: tokens - forwards,
    tokensPerSecond: lastMs === 0 || tokens === 0 ? undefined : (tokens * 1000) / lastMs,
    ttftMs: firstTextMs,
    totalMs: lastMs,
  }
}
