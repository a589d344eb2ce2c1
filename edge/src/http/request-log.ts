import type { MiddlewareHandler } from 'hono'
import type { EdgeBindings, EdgeDeps } from '../deps.ts'

/** Gives every request an id and one line in the log; streams write theirs when they end. */
export function requestLog({
  random,
  clock,
  log,
  limits,
}: EdgeDeps): MiddlewareHandler<EdgeBindings> {
  return async function logRequest(c, next) {
    const requestId = readRequestId(c.req, limits.requestIdCharactersMax) ?? `req-${random.id()}`
    const at = clock()
    const { method, path } = c.req
    c.set('requestId', requestId)
    c.set('record', { event: 'request', at, requestId, method, path: path.slice(0, 200) })
    c.set('recordTaken', false)
    await next()
    c.header('x-request-id', requestId)
    const { record } = c.var
    Object.assign(record, { status: c.res.status })
    const retries = c.req.header('x-stainless-retry-count')
    if (retries !== undefined && /^\d{1,3}$/.test(retries))
      record['clientRetries'] = Number(retries)
    if (!c.var.recordTaken) log({ ...record, durationMs: clock() - at })
  }
}

/** The caller's own id, as long as it is harmless in a header and a log line. */
function readRequestId(
  request: { header(name: string): string | undefined },
  charactersMax: number,
): string | undefined {
  const id = request.header('x-request-id') ?? request.header('x-client-request-id')
  if (id === undefined || id.length > charactersMax) return undefined
  return /^[\w.:-]+$/.test(id) ? id : undefined
}
