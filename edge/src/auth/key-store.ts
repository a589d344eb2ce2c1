import * as z from 'zod'
import type { EdgeLimits } from '../limits.ts'
import type { Database } from '../storage/database.ts'
import { scopeSchema } from './api-key.ts'
import type { ApiKey } from './api-key.ts'

/**
 * Keys by the SHA-256 of their text; the text itself is stored nowhere. A lookup by digest can leak
 * at most digests through its timing, and no key can be made from one.
 */
export interface KeyStore {
  findByDigest(digest: string): Promise<ApiKey | undefined>
  findById(id: string): Promise<ApiKey | undefined>
  create(key: ApiKey, digest: string): Promise<void>
  /** In the order of their ids, beginning after one. */
  list(page: { tenant?: string | undefined; after: string; limit: number }): Promise<ApiKey[]>
  /** The key as it is now; undefined if there is none. One revoked before stays as it is. */
  revoke(id: string, at: number): Promise<ApiKey | undefined>
}

const rowSchema = z
  .object({
    id: z.string(),
    prefix: z.string(),
    tenant: z.string(),
    name: z.string(),
    scopes: z
      .string()
      .transform((list) => list.split(' '))
      .pipe(z.array(scopeSchema)),
    requests_per_minute: z.int(),
    tokens_per_minute: z.int(),
    tokens_per_month: z.int().nullable(),
    created_at: z.int(),
    expires_at: z.int().nullable(),
    revoked_at: z.int().nullable(),
  })
  .transform((row): ApiKey => ({
    id: row.id,
    prefix: row.prefix,
    tenant: row.tenant,
    name: row.name,
    scopes: row.scopes,
    allowance: {
      requestsPerMinute: row.requests_per_minute,
      tokensPerMinute: row.tokens_per_minute,
      tokensPerMonth: row.tokens_per_month,
    },
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
  }))

const COLUMNS =
  'id, prefix, tenant, name, scopes, requests_per_minute, tokens_per_minute, tokens_per_month, ' +
  'created_at, expires_at, revoked_at'

export function createKeyStore(database: Database): KeyStore {
  async function findBy(column: 'digest' | 'id', value: string): Promise<ApiKey | undefined> {
    const [row] = await database.all(`SELECT ${COLUMNS} FROM api_keys WHERE ${column} = ?`, value)
    return row === undefined ? undefined : rowSchema.parse(row)
  }
  return {
    findByDigest: (digest) => findBy('digest', digest),
    findById: (id) => findBy('id', id),
    async create(key, digest) {
      const { allowance } = key
      await database.run(
        `INSERT INTO api_keys (${COLUMNS}, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        key.id,
        key.prefix,
        key.tenant,
        key.name,
        key.scopes.join(' '),
        allowance.requestsPerMinute,
        allowance.tokensPerMinute,
        allowance.tokensPerMonth,
        key.createdAt,
        key.expiresAt,
        key.revokedAt,
        digest,
      )
    },
    async list({ tenant, after, limit }) {
      const where = tenant === undefined ? 'id > ?' : 'id > ? AND tenant = ?'
      const values = tenant === undefined ? [after] : [after, tenant]
      const rows = await database.all(
        `SELECT ${COLUMNS} FROM api_keys WHERE ${where} ORDER BY id LIMIT ?`,
        ...values,
        limit,
      )
      return rows.map((row) => rowSchema.parse(row))
    },
    async revoke(id, at) {
      await database.run(
        'UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL',
        at,
        id,
      )
      return findBy('id', id)
    },
  }
}

/** Finds keys for requests, and remembers what it found, or that there was none, for a while. */
export interface KeyFinder {
  byDigest(digest: string): Promise<ApiKey | undefined>
  byId(id: string): Promise<ApiKey | undefined>
  /** Makes this process believe the store again. Others follow within `keyCacheMs`. */
  forget(): void
}

export function createKeyFinder(options: {
  store: KeyStore
  clock: () => number
  limits: Pick<EdgeLimits, 'keyCacheMs' | 'keyCacheEntriesMax'>
}): KeyFinder {
  const { store, clock, limits } = options
  const known = new Map<string, { key: ApiKey | undefined; until: number }>()

  async function find(
    name: string,
    load: () => Promise<ApiKey | undefined>,
  ): Promise<ApiKey | undefined> {
    const entry = known.get(name)
    if (entry !== undefined && entry.until > clock()) return entry.key
    // Counted from before the lookup, so that no answer is believed longer than promised.
    const until = clock() + limits.keyCacheMs
    const key = await load()
    known.delete(name)
    known.set(name, { key, until })
    if (known.size > limits.keyCacheEntriesMax) known.delete(known.keys().next().value as string)
    return key
  }
  return {
    byDigest: (digest) => find(`digest:${digest}`, () => store.findByDigest(digest)),
    byId: (id) => find(`id:${id}`, () => store.findById(id)),
    forget: () => known.clear(),
  }
}
