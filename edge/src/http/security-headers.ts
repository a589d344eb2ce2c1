import type { MiddlewareHandler } from 'hono'
import type { EdgeBindings } from '../deps.ts'

/** For answers that are data: nothing in them may run, load or be framed. */
const CSP_OF_DATA = "default-src 'none'; frame-ancestors 'none'"

/**
 * Sets what browsers need to be told about every answer. A route that serves a page sets its own
 * `content-security-policy` instead.
 */
export function securityHeaders(): MiddlewareHandler<EdgeBindings> {
  return async function setSecurityHeaders(c, next) {
    c.header('content-security-policy', CSP_OF_DATA)
    c.header('x-content-type-options', 'nosniff')
    c.header('referrer-policy', 'no-referrer')
    await next()
  }
}
