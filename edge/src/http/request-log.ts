import type { MiddlewareHandler } from 'hono'
import type { EdgeBindings, EdgeDeps, LogRecord } from '../deps.ts'
import { matchedRoutes } from 'hono/route'
import { RequestTrace } from '../tracing/request-trace.ts'
import { finishRecord } from './finish-record.ts'
import { waitUntil } from './wait-until.ts'

/**
 * Gives every request an id and one line in the log; streams write theirs when they end. `routes` are the patterns by
 * which requests are counted.
 */
export function requestLog(
  deps: EdgeDeps,
  routes: ReadonlySet<string>,
): MiddlewareHandler<EdgeBindings> {
  const { random, clock, limits, metrics, tracer } = deps
  return async function logRequest(c, next) {
    const requestId = readRequestId(c.req, limits.requestIdCharactersMax) ?? `req-${random.id()}`
    const at = clock()
    const { method } = c.req
    const record = { event: 'request', at, requestId, method }
    c.set('record', { ...record, ...readClientFacts(c.req) })
    c.set('recordTaken', false)
    const [traceparent, tracestate] = [c.req.header('traceparent'), c.req.header('tracestate')]
    c.set('trace', new RequestTrace(tracer, { traceparent, tracestate, method }))

    async function handle(): Promise<void> {
      await next()
      c.header('x-request-id', requestId)
      // Of a stream, the time until its headers.
      c.header('openai-processing-ms', String(Math.max(0, Math.round(clock() - at))))
      const { status } = c.res
      Object.assign(c.var.record, { status })
      const route = matchedRoutes(c).findLast((match) => routes.has(match.path))?.path ?? 'other'
      metrics.answered({ route, method, status, durationMs: clock() - at })
      Object.assign(c.var.record, { route })
      if (!c.var.recordTaken) finishRecord(c, deps, { durationMs: clock() - at })
    }
    // A client that leaves must not take its log line, or the end of its job, with it.
    const handled = handle()
    waitUntil(c, handled)
    await handled
  }
}

/** What OpenAI clients tell of themselves: earlier tries of this request, seconds they will wait. */
function readClientFacts(request: { header(name: string): string | undefined }): LogRecord {
  const facts = {
    clientRetries: readCount(request.header('x-stainless-retry-count')),
    clientTimeoutSeconds: readCount(request.header('x-stainless-timeout')),
  }
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined))
}

function readCount(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) : undefined
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
