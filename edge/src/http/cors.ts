import type { MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'
import type { EdgeBindings } from '../deps.ts'
import { RATE_LIMIT_HEADERS } from '../metering/rate-limit-headers.ts'

const PREFLIGHT_SECONDS = 7_200

/** Headers of ours that a page's script may read. */
const EXPOSED = [
  'x-request-id',
  'x-should-retry',
  'retry-after',
  'x-setblock-stream-id',
  'idempotent-replayed',
  ...RATE_LIMIT_HEADERS,
]

/**
 * Lets pages of the origins given call the API; `*` stands for any. There are no cookies, so a page
 * can do no more than what the key or token it holds allows.
 */
export function allowOrigins(origins: readonly string[]): MiddlewareHandler<EdgeBindings> {
  const any = origins.includes('*')
  return cors({
    origin: (origin) => (any || origins.includes(origin) ? origin : null),
    allowMethods: ['GET', 'POST', 'DELETE'],
    exposeHeaders: EXPOSED,
    maxAge: PREFLIGHT_SECONDS,
  })
}
