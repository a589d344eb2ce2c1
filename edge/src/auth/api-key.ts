import { limits, toBase64Url } from '@setblock/shared'
import * as z from 'zod'
import { edgeLimits } from '../limits.ts'

/**
 * What a key may do: generate text; read its tenant's usage; mint browser tokens; manage the keys
 * of every tenant. The last is the operator's.
 */
export const scopeSchema = z.enum(['generate', 'usage', 'tokens', 'admin'])
export type Scope = z.infer<typeof scopeSchema>

export const DEFAULT_SCOPES: readonly Scope[] = ['generate', 'usage', 'tokens']

export const tenantSchema = z
  .string()
  .max(limits.tenantCharactersMax)
  .regex(/^[\w.-]+$/, 'must be letters, digits, and . _ -')

/** How much a key may use. */
export interface Allowance {
  readonly requestsPerMinute: number
  /** Prompt and completion tokens together. */
  readonly tokensPerMinute: number
  /** By the calendar month in UTC; null is without quota. */
  readonly tokensPerMonth: number | null
}

/** What is known of a key. Times are unix milliseconds. */
export interface ApiKey {
  readonly id: string
  /** First characters of the key itself. */
  readonly prefix: string
  readonly tenant: string
  readonly name: string
  readonly scopes: readonly Scope[]
  readonly allowance: Allowance
  readonly createdAt: number
  readonly expiresAt: number | null
  readonly revokedAt: number | null
}

/** Whom a request comes from: a key, a browser token made by one, or the operator's secret. */
export interface Caller {
  readonly tenant: string
  /** The key's name, for the log. */
  readonly name: string
  readonly keyId: string
  readonly scopes: readonly Scope[]
  readonly allowance: Allowance
}

export function callerOf({ id, tenant, name, scopes, allowance }: ApiKey): Caller {
  return { keyId: id, tenant, name, scopes, allowance }
}

export function isUsable(key: ApiKey, now: number): boolean {
  return key.revokedAt === null && (key.expiresAt === null || key.expiresAt > now)
}

const KEY_BYTES = 24
const PREFIX_CHARACTERS = 8

/** A new key, 192 random bits of it, and the part of it that may be shown again. */
export function makeKey(): { key: string; prefix: string } {
  const key = `sb-${toBase64Url(crypto.getRandomValues(new Uint8Array(KEY_BYTES)))}`
  return { key, prefix: key.slice(0, PREFIX_CHARACTERS) }
}

const perMinute = (max: number) => z.int().min(1).max(max)

/** Body of `POST /v1/admin/keys`. */
export const createKeySchema = z.strictObject({
  tenant: tenantSchema,
  name: z.string().min(1).max(edgeLimits.keyNameCharactersMax),
  scopes: z.array(scopeSchema).min(1).max(scopeSchema.options.length).optional(),
  requests_per_minute: perMinute(edgeLimits.requestsPerMinuteMax).optional(),
  tokens_per_minute: perMinute(edgeLimits.tokensPerMinuteMax).optional(),
  /** Null, or absent: no quota. */
  tokens_per_month: perMinute(edgeLimits.tokensPerMonthMax).nullish(),
  /** Absent: does not expire. */
  expires_in_seconds: z.int().min(1).max(edgeLimits.keyLifetimeSecondsMax).optional(),
})
export type CreateKeyRequest = z.infer<typeof createKeySchema>

const unixSeconds = z.int().min(0)

/** A key as the admin API shows it. */
export const apiKeySchema = z.object({
  id: z.string(),
  object: z.literal('api_key'),
  prefix: z.string(),
  tenant: z.string(),
  name: z.string(),
  scopes: z.array(scopeSchema),
  requests_per_minute: z.int(),
  tokens_per_minute: z.int(),
  tokens_per_month: z.int().nullable(),
  created_at: unixSeconds,
  expires_at: unixSeconds.nullable(),
  revoked_at: unixSeconds.nullable(),
})

/** The answer to `POST /v1/admin/keys`: the only time that the key itself is shown. */
export const createdKeySchema = apiKeySchema.extend({ key: z.string() })

/** The answer to `GET /v1/admin/keys`. */
export const keyListSchema = z.object({
  object: z.literal('list'),
  data: z.array(apiKeySchema),
  has_more: z.boolean(),
})

/** Query of `GET /v1/admin/keys`. */
export const keyQuerySchema = z.strictObject({
  tenant: tenantSchema.optional(),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(edgeLimits.keysPerPageMax)
    .default(edgeLimits.keysPerPageMax),
  /** Id of the last key of the page before. */
  after: z.string().max(limits.jobIdCharactersMax).default(''),
})

export function drawKey(key: ApiKey): z.infer<typeof apiKeySchema> {
  const seconds = (ms: number) => Math.floor(ms / 1000)
  const orNull = (ms: number | null) => (ms === null ? null : seconds(ms))
  const { allowance } = key
  return {
    id: key.id,
    object: 'api_key',
    prefix: key.prefix,
    tenant: key.tenant,
    name: key.name,
    scopes: [...key.scopes],
    requests_per_minute: allowance.requestsPerMinute,
    tokens_per_minute: allowance.tokensPerMinute,
    tokens_per_month: allowance.tokensPerMonth,
    created_at: seconds(key.createdAt),
    expires_at: orNull(key.expiresAt),
    revoked_at: orNull(key.revokedAt),
  }
}
