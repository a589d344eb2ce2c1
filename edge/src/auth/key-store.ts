import { limits, sha256Hex } from '@setblock/shared'
import * as z from 'zod'

/** Whom a key belongs to. The tenant is what sessions and accounting are scoped to. */
export const keyOwnerSchema = z.strictObject({
  tenant: z.string().min(1).max(limits.tenantCharactersMax),
  name: z.string().max(128),
})
export type KeyOwner = z.infer<typeof keyOwnerSchema>

/** Finds owners by the SHA-256 of their key; the keys themselves are stored nowhere. */
export interface KeyStore {
  /** `digest` is lower-case hex. Undefined when nobody owns such a key. */
  find(digest: string): Promise<KeyOwner | undefined>
}

/** `{ "<sha256 hex of a key>": { "tenant": ..., "name": ... } }` */
export const keyFileSchema = z.record(z.string().regex(/^[0-9a-f]{64}$/), keyOwnerSchema)

/** Keys from a file. Every entry is compared, in full, so the time tells nothing about them. */
export function createFileKeyStore(file: z.infer<typeof keyFileSchema>): KeyStore {
  const entries = Object.entries(file)
  return {
    find: (digest) => {
      let owner: KeyOwner | undefined
      for (const [known, candidate] of entries) {
        if (equalInConstantTime(known, digest)) owner = candidate
      }
      return Promise.resolve(owner)
    },
  }
}

/** The part of a Workers KV namespace that is needed here. */
export interface KeyValueReader {
  get(name: string, options: { type: 'json'; cacheTtl: number }): Promise<unknown>
}

/**
 * Keys from a KV namespace, under `key:<digest>`. Nothing secret is compared here: a lookup by
 * digest can leak at most digests, from which no key can be made.
 */
export function createKvKeyStore(namespace: KeyValueReader): KeyStore {
  const CACHE_SECONDS = 60
  return {
    async find(digest) {
      const entry = await namespace.get(`key:${digest}`, { type: 'json', cacheTtl: CACHE_SECONDS })
      return entry === null ? undefined : keyOwnerSchema.parse(entry)
    },
  }
}

/** The owner of a key as a client sends it. */
export async function findOwner(keys: KeyStore, key: string): Promise<KeyOwner | undefined> {
  return keys.find(await sha256Hex(key))
}

function equalInConstantTime(left: string, right: string): boolean {
  let difference = left.length ^ right.length
  for (let index = 0; index < left.length; index++) {
    difference |= left.charCodeAt(index) ^ right.charCodeAt(index)
  }
  return difference === 0
}
