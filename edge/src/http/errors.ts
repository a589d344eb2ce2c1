import { ApiError } from '@setblock/shared'
import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { EdgeBindings, LogRecord } from '../deps.ts'
import type { EdgeMetrics } from '../metrics/edge-metrics.ts'
import { ClientLost } from '../stream/relay.ts'

/** Any failure as the ApiError a client may see. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ClientLost) return new ApiError('aborted', error.message)
  return ApiError.from(error)
}

/** What the log says of a failure: the reason only where the fault is ours, and never input. */
export function describeError(error: unknown): LogRecord {
  const apiError = toApiError(error)
  const { code } = apiError
  if (apiError.status < 500) return { error: code }
  const chain: unknown[] = []
  for (let link: unknown = apiError; link instanceof Error; link = link.cause)
    chain.push(link.message)
  const origin = apiError.cause
  const stack = code === 'internal_error' && origin instanceof Error ? origin.stack : undefined
  return { error: code, reason: chain.join(': '), ...(stack === undefined ? {} : { stack }) }
}

/** The answer to a request that failed before its headers were out. */
export function errorResponse(
  c: Context<EdgeBindings>,
  error: unknown,
  metrics: Pick<EdgeMetrics, 'failed'>,
): Response {
  const apiError = toApiError(error)
  metrics.failed(apiError.code)
  Object.assign(c.var.record, describeError(error))
  const headers = new Headers({
    'content-type': 'application/json',
    'x-should-retry': String(apiError.retryable),
  })
  if (apiError.retryAfterSeconds !== undefined) {
    headers.set('retry-after', String(apiError.retryAfterSeconds))
    // OpenAI's clients read this one first.
    headers.set('retry-after-ms', String(apiError.retryAfterSeconds * 1000))
  }
  if (apiError.status === 401) headers.set('www-authenticate', 'Bearer')
  for (const [name, value] of headers) c.header(name, value)
  // 499 has no name among hono's status codes.
  return c.body(JSON.stringify(apiError.toEnvelope()), apiError.status as ContentfulStatusCode)
}
