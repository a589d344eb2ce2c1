import { ERRORS } from '@setblock/shared'
import type { Context } from 'hono'
import type { EdgeBindings, EdgeDeps, LogRecord } from '../deps.ts'

/** Fields of a record that its span tells, and their names there. */
const ATTRIBUTES = {
  route: 'http.route',
  status: 'http.response.status_code',
  requestId: 'setblock.request_id',
  model: 'gen_ai.request.model',
  mode: 'setblock.mode',
  outcome: 'setblock.outcome',
} as const

/** A request is over, its stream too: writes its line in the log and ends its span. */
export function finishRecord(
  c: Context<EdgeBindings>,
  { log }: Pick<EdgeDeps, 'log'>,
  facts: LogRecord,
): void {
  const record = { ...c.var.record, ...facts }
  log(record)
  const attributes = Object.entries(ATTRIBUTES).flatMap(([field, name]) => {
    const value = record[field]
    return typeof value === 'string' || typeof value === 'number' ? [[name, value] as const] : []
  })
  const { error, route } = record
  const name = typeof route === 'string' ? `${c.req.method} ${route}` : c.req.method
  c.var.trace.end(name, {
    attributes: Object.fromEntries(attributes),
    failure: typeof error === 'string' && isOurs(error) ? error : undefined,
  })
}

/** Of a server's span only its own failures are errors. */
function isOurs(code: string): boolean {
  return code in ERRORS && ERRORS[code as keyof typeof ERRORS].status >= 500
}
