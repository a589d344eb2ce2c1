import { ApiError, sha256Hex } from '@setblock/shared'
import type { MiddlewareHandler } from 'hono'
import type { EdgeBindings, EdgeDeps } from '../deps.ts'
import { callerOf, isUsable } from './api-key.ts'
import type { Caller, Scope } from './api-key.ts'
import { BROWSER_TOKEN_PREFIX } from './browser-token.ts'

/** The operator as a caller: may manage keys, and has none to generate with. */
const OPERATOR: Caller = {
  keyId: 'operator',
  tenant: 'operator',
  name: 'operator',
  scopes: ['admin'],
  allowance: { requestsPerMinute: 1, tokensPerMinute: 1, tokensPerMonth: 0 },
}

/** Lets only requests with a known `Authorization: Bearer` key or token pass, and notes whose. */
export function requireKey(deps: EdgeDeps): MiddlewareHandler<EdgeBindings> {
  const findCaller = callerFinder(deps)
  return async function checkKey(c, next) {
    const { guard, limits } = deps
    const address = c.env?.address ?? 'unknown'
    guard.check(address)
    const text = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
    if (text === undefined) {
      throw new ApiError('missing_api_key', 'send your key as authorization: Bearer <key>')
    }
    const tooLong = text.length > limits.apiKeyCharactersMax
    const caller = tooLong ? undefined : await findCaller(text, c.req.header('origin'))
    if (caller === undefined) {
      guard.fail(address)
      throw new ApiError('invalid_api_key', 'this API key is not known')
    }
    c.set('owner', caller)
    Object.assign(c.var.record, { tenant: caller.tenant, key: caller.name })
    await next()
  }
}

/** Lets only callers with a scope pass; to be used behind requireKey. */
export function requireScope(scope: Scope): MiddlewareHandler<EdgeBindings> {
  return async function checkScope(c, next) {
    if (!c.var.owner.scopes.includes(scope)) {
      throw new ApiError('insufficient_scope', `this key lacks the scope ${scope}`)
    }
    await next()
  }
}

function callerFinder(deps: EdgeDeps) {
  let operatorDigest: string | undefined
  return async function findCaller(
    text: string,
    origin: string | undefined,
  ): Promise<Caller | undefined> {
    if (text.startsWith(BROWSER_TOKEN_PREFIX)) return readToken(deps, text, origin)
    operatorDigest ??= await sha256Hex(deps.adminKey)
    const digest = await sha256Hex(text)
    // Digests are compared, of which timing may tell what it likes.
    if (digest === operatorDigest) return OPERATOR
    const key = await deps.keys.byDigest(digest)
    return key !== undefined && isUsable(key, deps.clock()) ? callerOf(key) : undefined
  }
}

/** The caller a browser token stands for: its key, with the token's scopes. */
async function readToken(
  deps: EdgeDeps,
  text: string,
  origin: string | undefined,
): Promise<Caller | undefined> {
  const token = await deps.tokens.read(text)
  if (token === undefined) return undefined
  if (token.expiresAt <= deps.clock()) {
    throw new ApiError('token_expired', 'this browser token has expired: ask for a new one')
  }
  const key = await deps.keys.byId(token.keyId)
  if (key === undefined || !isUsable(key, deps.clock())) return undefined
  if (token.origin !== null && token.origin !== origin) {
    throw new ApiError('origin_not_allowed', 'this browser token belongs to another origin')
  }
  const scopes = token.scopes.filter((scope) => key.scopes.includes(scope))
  return { ...callerOf(key), scopes }
}
