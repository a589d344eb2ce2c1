import { ApiError, parseWith, sha256Hex } from '@setblock/shared'
import { Hono } from 'hono'
import {
  createKeySchema,
  DEFAULT_SCOPES,
  drawKey,
  keyQuerySchema,
  makeKey,
} from '../auth/api-key.ts'
import type { ApiKey, CreateKeyRequest } from '../auth/api-key.ts'
import { requireScope } from '../auth/require-key.ts'
import type { EdgeBindings, EdgeDeps } from '../deps.ts'
import { readJsonBody } from '../http/json-body.ts'

/** Keys made, listed and revoked by the operator. */
export function adminKeyRoutes(deps: EdgeDeps): Hono<EdgeBindings> {
  const { keyStore, keys, clock, random, limits } = deps
  return new Hono<EdgeBindings>()
    .use('/admin/*', requireScope('admin'))
    .post('/admin/keys', async (c) => {
      const request = parseWith(
        createKeySchema,
        await readJsonBody(c.req.raw, {
          bytesMax: limits.bodyBytesMax,
          depthMax: limits.jsonDepthMax,
        }),
      )
      const { key, prefix } = makeKey()
      const record = planKey(request, { id: `key-${random.id()}`, prefix, now: clock(), deps })
      await keyStore.create(record, await sha256Hex(key))
      // It may have been tried before it was made, and be remembered as unknown.
      keys.forget()
      c.header('cache-control', 'no-store')
      return c.json({ ...drawKey(record), key }, 201)
    })
    .get('/admin/keys', async (c) => {
      const { tenant, limit, after } = parseWith(keyQuerySchema, c.req.query())
      const found = await keyStore.list({ tenant, after, limit: limit + 1 })
      const data = found.slice(0, limit).map(drawKey)
      return c.json({ object: 'list', data, has_more: found.length > limit })
    })
    .delete('/admin/keys/:id', async (c) => {
      const id = c.req.param('id')
      const key = await keyStore.revoke(id, clock())
      if (key === undefined) throw new ApiError('not_found', 'there is no key with this id')
      keys.forget()
      return c.json(drawKey(key))
    })
}

function planKey(
  request: CreateKeyRequest,
  context: { id: string; prefix: string; now: number; deps: EdgeDeps },
): ApiKey {
  const { id, prefix, now, deps } = context
  const { limits } = deps
  const lifetimeSeconds = request.expires_in_seconds
  return {
    id,
    prefix,
    tenant: request.tenant,
    name: request.name,
    scopes: [...new Set(request.scopes ?? DEFAULT_SCOPES)],
    allowance: {
      requestsPerMinute: request.requests_per_minute ?? limits.requestsPerMinuteDefault,
      tokensPerMinute: request.tokens_per_minute ?? limits.tokensPerMinuteDefault,
      tokensPerMonth: request.tokens_per_month ?? null,
    },
    createdAt: now,
    expiresAt: lifetimeSeconds === undefined ? null : now + lifetimeSeconds * 1000,
    revokedAt: null,
  }
}
