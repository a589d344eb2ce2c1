import { ApiError, parseWith } from '@setblock/shared'
import { Hono } from 'hono'
import { createTokenSchema } from '../auth/browser-token.ts'
import { requireScope } from '../auth/require-key.ts'
import type { EdgeBindings, EdgeDeps } from '../deps.ts'
import { readJsonBody } from '../http/json-body.ts'
import { DAY_MS, sumDays, usageQuerySchema } from '../metering/usage-store.ts'

/** What a key can do beside generating: mint tokens for browsers, and read its tenant's usage. */
export function accountRoutes(deps: EdgeDeps): Hono<EdgeBindings> {
  const { tokens, usage, clock, limits } = deps
  return new Hono<EdgeBindings>()
    .post('/tokens', requireScope('tokens'), async (c) => {
      const body = await readJsonBody(c.req.raw, {
        bytesMax: limits.bodyBytesMax,
        depthMax: limits.jsonDepthMax,
      })
      const request = parseWith(createTokenSchema, body)
      const { keyId, scopes } = c.var.owner
      const missing = request.scopes.find((scope) => !scopes.includes(scope))
      if (missing !== undefined) {
        throw new ApiError('insufficient_scope', `scopes: this key itself lacks ${missing}`, {
          param: 'scopes',
        })
      }
      const expiresAt = clock() + request.expires_in_seconds * 1000
      const origin = request.origin ?? null
      const token = await tokens.sign({ keyId, scopes: request.scopes, origin, expiresAt })
      c.header('cache-control', 'no-store')
      return c.json(
        {
          object: 'browser_token',
          token,
          scopes: request.scopes,
          origin,
          expires_at: Math.floor(expiresAt / 1000),
        },
        201,
      )
    })
    .get('/usage', requireScope('usage'), async (c) => {
      const { tenant } = c.var.owner
      const span = readSpan(parseWith(usageQuerySchema, c.req.query()), clock())
      if (span.to - span.from > limits.usageDaysMax * DAY_MS || span.to <= span.from) {
        throw new ApiError(
          'invalid_request',
          `from: the span must have 1 to ${limits.usageDaysMax} days`,
          { param: 'from' },
        )
      }
      const days = await usage.days({ tenant, ...span })
      return c.json({
        object: 'usage',
        tenant,
        from: dateOf(span.from),
        to: dateOf(span.to - DAY_MS),
        totals: sumDays(days),
        days,
      })
    })
}

const dateOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

/** Unix milliseconds, the end exclusive. */
function readSpan(
  { from, to }: { from?: string | undefined; to?: string | undefined },
  now: number,
): { from: number; to: number } {
  const today = dateOf(now)
  return {
    from: Date.parse(from ?? `${today.slice(0, 8)}01`),
    to: Date.parse(to ?? today) + DAY_MS,
  }
}
