import type { MiddlewareHandler } from 'hono'
import type { EdgeBindings, EdgeDeps } from '../deps.ts'
import { waitUntil } from './wait-until.ts'

/** Gives every request an id and one line in the log; streams write theirs when they end. */
export function requestLog(deps: EdgeDeps): MiddlewareHandler<EdgeBindings> {
  const { random, clock, log, limits } = deps
  return async function logRequest(c, next) {
    const requestId = readRequestId(c.req, limits.requestIdCharactersMax) ?? `req-${random.id()}`
    const at = clock()
    const { method, path } = c.req
    const clientRetries = readRetryCount(c.req.header('x-stainless-retry-count'))
    const record = { event: 'request', at, requestId, method, path: path.slice(0, 200) }
    c.set('record', clientRetries === undefined ? record : { ...record, clientRetries })
    c.set('recordTaken', false)

    async function handle(): Promise<void> {
      await next()
      c.header('x-request-id', requestId)
      Object.assign(c.var.record, { status: c.res.status })
      if (!c.var.recordTaken) log({ ...c.var.record, durationMs: clock() - at })
    }
    // A client that leaves must not take its log line, or the end of its job, with it.
    const handled = handle()
    waitUntil(c, handled)
    await handled
  }
}

/** How often an OpenAI client has tried this request before. */
function readRetryCount(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,3}$/.test(header) ? Number(header) : undefined
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
