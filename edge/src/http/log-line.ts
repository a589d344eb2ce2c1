import { ERRORS } from '@setblock/shared'
import type { LogRecord } from '../deps.ts'

export type LogLevel = 'info' | 'warn' | 'error'

/** One line of JSON: time and level first, so that a reader of many lines finds them. */
export function toLogLine(record: LogRecord, now: Date): string {
  return JSON.stringify({ time: now.toISOString(), level: levelOf(record), ...record })
}

/** Our own failures are errors; refusals that a client may care about are warnings; leaving is neither. */
function levelOf({ event, error, reason }: LogRecord): LogLevel {
  if (typeof error !== 'string' || !(error in ERRORS)) {
    // Events beside requests say why when something went wrong.
    return event !== 'request' && reason !== undefined && reason !== null ? 'warn' : 'info'
  }
  const { status } = ERRORS[error as keyof typeof ERRORS]
  if (status >= 500) return 'error'
  return error === 'aborted' ? 'info' : 'warn'
}
