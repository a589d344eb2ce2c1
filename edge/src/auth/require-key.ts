import { ApiError } from '@setblock/shared'
import type { MiddlewareHandler } from 'hono'
import type { EdgeBindings, EdgeDeps } from '../deps.ts'
import { findOwner } from './key-store.ts'

/** Lets only requests with a known `Authorization: Bearer` key pass, and notes their owner. */
export function requireKey({ keys, limits }: EdgeDeps): MiddlewareHandler<EdgeBindings> {
  return async function checkKey(c, next) {
    const key = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
    if (key === undefined) {
      throw new ApiError('missing_api_key', 'send your key as authorization: Bearer <key>')
    }
    const owner = key.length > limits.apiKeyCharactersMax ? undefined : await findOwner(keys, key)
    if (owner === undefined) throw new ApiError('invalid_api_key', 'this API key is not known')
    c.set('owner', owner)
    Object.assign(c.var.record, { tenant: owner.tenant, key: owner.name })
    await next()
  }
}
