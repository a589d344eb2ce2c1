import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'

/**
 * What a stored object says of itself. Compared as a whole with what the reader expects, so that
 * nothing of another model, layout, tenant or place is ever taken.
 */
export type Label = Readonly<Record<string, string | number>>

export type OpenFailure = 'corrupt' | 'mismatch'

const MAGIC = Buffer.from('SETBLOCK1')
const IV_BYTES = 12
const DIGEST_BYTES = 32
const TAG_BYTES = 16
const CIPHER = 'aes-256-gcm'

/**
 * `magic, label length (uint32), label (JSON), data, SHA-256 of all before`. With a key the data is
 * `iv, AES-256-GCM ciphertext, tag`, and everything before it is authenticated with it.
 */
export function seal(label: Label, data: Uint8Array, key?: Uint8Array): Buffer {
  const head = encodeHead(label, key !== undefined)
  const body = key === undefined ? data : encrypt(head, data, key)
  const digest = createHash('sha256').update(head).update(body).digest()
  return Buffer.concat([head, body, digest])
}

/** The data, a view of `sealed` unless encrypted; or why it cannot be taken. */
export function unseal(
  sealed: Uint8Array,
  label: Label,
  key?: Uint8Array,
): Uint8Array | OpenFailure {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
  const end = bytes.length - DIGEST_BYTES
  if (end < MAGIC.length) return 'corrupt'
  const digest = createHash('sha256').update(bytes.subarray(0, end)).digest()
  if (!digest.equals(bytes.subarray(end))) return 'corrupt'
  const head = encodeHead(label, key !== undefined)
  if (!bytes.subarray(0, Math.min(head.length, end)).equals(head)) return 'mismatch'
  const body = bytes.subarray(head.length, end)
  return key === undefined ? body : decrypt(head, body, key)
}

/** A tenant's own key, from the operator's. */
export function tenantKey(masterKey: Uint8Array, tenant: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', masterKey, tenant, 'setblock-at-rest-v1', 32))
}

function encodeHead(label: Label, encrypted: boolean): Buffer {
  const fields = { ...label, cipher: encrypted ? CIPHER : 'none' }
  const json = Buffer.from(JSON.stringify(fields))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(json.length)
  return Buffer.concat([MAGIC, length, json])
}

function encrypt(head: Buffer, data: Uint8Array, key: Uint8Array): Buffer {
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv(CIPHER, key, iv).setAAD(head)
  return Buffer.concat([iv, cipher.update(data), cipher.final(), cipher.getAuthTag()])
}

function decrypt(head: Buffer, body: Buffer, key: Uint8Array): Uint8Array | OpenFailure {
  if (body.length < IV_BYTES + TAG_BYTES) return 'corrupt'
  const tagStart = body.length - TAG_BYTES
  const decipher = createDecipheriv(CIPHER, key, body.subarray(0, IV_BYTES)).setAAD(head)
  decipher.setAuthTag(body.subarray(tagStart))
  try {
    return Buffer.concat([decipher.update(body.subarray(IV_BYTES, tagStart)), decipher.final()])
  } catch {
    return 'mismatch'
  }
}
