export type LogLevel = 'info' | 'warn' | 'error'

/** Counts, codes, names of models and durations: never token ids, text, keys, tenants or sessions. */
export type LogFields = Readonly<Record<string, string | number | boolean | null>>

/** One JSON line per event on standard output. */
export type Log = (level: LogLevel, event: string, fields?: LogFields) => void

export const logToStdout: Log = (level, event, fields = {}) => {
  const line = { time: new Date().toISOString(), level, event, ...fields }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
