import { ApiError } from '@setblock/shared'
import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { EdgeBindings, LogRecord } from '../deps.ts'
import { ClientLost } from '../stream/relay.ts'

/** Any failure as the ApiError a client may see. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ClientLost) return new ApiError('aborted', error.message)
  return ApiError.from(error)
}

/** What the log says of a failure: the cause only where the fault is ours, and never input. */
export function describeError(error: unknown): LogRecord {
  const apiError = toApiError(error)
  const { code, cause } = apiError
  if (apiError.status < 500) return { error: code }
  const reason = cause instanceof Error ? (cause.stack ?? cause.message) : apiError.message
  return { error: code, reason }
}

/** The answer to a request that failed before its headers were out. */
export function errorResponse(c: Context<EdgeBindings>, error: unknown): Response {
  const apiError = toApiError(error)
  Object.assign(c.var.record, describeError(error))
  const headers = new Headers({
    'content-type': 'application/json',
    'x-should-retry': String(apiError.retryable),
  })
  if (apiError.retryAfterSeconds !== undefined) {
    headers.set('retry-after', String(apiError.retryAfterSeconds))
  }
  if (apiError.status === 401) headers.set('www-authenticate', 'Bearer')
  for (const [name, value] of headers) c.header(name, value)
  // 499 has no name among hono's status codes.
  return c.body(JSON.stringify(apiError.toEnvelope()), apiError.status as ContentfulStatusCode)
}
