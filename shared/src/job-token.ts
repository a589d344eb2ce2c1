import * as z from 'zod'
import { assert } from './assert.ts'
import { fromBase64Url, toBase64Url } from './base64url.ts'
import { limits } from './limits.ts'

/** Signed with the payload, so that no token made for another purpose passes for a job's. */
const PURPOSE = 'setblock-job-v1'

const NONCE_CHARACTERS_MAX = 64

const payloadSchema = z.strictObject({
  tenant: z.string().min(1).max(limits.tenantCharactersMax),
  /** Unix time in milliseconds. */
  expiresAt: z.int().min(0),
  /** Hex SHA-256 of the job's body, byte for byte. */
  bodySha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Different in every token, so that whoever takes one can tell the same one from another. */
  nonce: z.string().min(1).max(NONCE_CHARACTERS_MAX),
})

/** What the edge vouches for: who asks, for exactly which body, until when. */
export type JobTokenPayload = z.infer<typeof payloadSchema>

export type JobTokenFailure =
  | 'malformed'
  | 'bad-signature'
  | 'expired'
  | 'lifetime-too-long'
  | 'body-mismatch'
  /** Found by the worker that has seen it before. */
  | 'replayed'

export type JobTokenVerdict =
  | { readonly ok: true; readonly payload: JobTokenPayload }
  | { readonly ok: false; readonly failure: JobTokenFailure }

/** An imported secret; import once, sign and verify often. */
export type JobKey = Awaited<ReturnType<typeof importJobSecret>>

const encoder = new TextEncoder()

/** Turns the secret that edge and workers share into a key for HMAC-SHA256. */
export function importJobSecret(secret: string) {
  assert(
    secret.length >= limits.jobSecretCharactersMin,
    `the job secret must have at least ${limits.jobSecretCharactersMin} characters`,
  )
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  return crypto.subtle.importKey('raw', encoder.encode(secret), algorithm, false, [
    'sign',
    'verify',
  ])
}

/** `payload.signature`, both base64url; another token each time. */
export async function signJobToken(
  key: JobKey,
  payload: Omit<JobTokenPayload, 'nonce'>,
): Promise<string> {
  const unique = payloadSchema.parse({ ...payload, nonce: crypto.randomUUID() })
  const encoded = toBase64Url(encoder.encode(JSON.stringify(unique)))
  const signature = await crypto.subtle.sign('HMAC', key, signedBytes(encoded))
  return `${encoded}.${toBase64Url(new Uint8Array(signature))}`
}

export interface VerifyJobTokenOptions {
  readonly token: string
  /** Hex SHA-256 of the body that came with the token. */
  readonly bodySha256: string
  /** Unix time in milliseconds, by the verifier's clock. */
  readonly nowMs: number
}

/** Checks the signature first (in constant time) and believes no field before that. */
export async function verifyJobToken(
  key: JobKey,
  { token, bodySha256, nowMs }: VerifyJobTokenOptions,
): Promise<JobTokenVerdict> {
  if (token.length > limits.jobTokenBytesMax) return failed('malformed')
  const [encoded, signaturePart, ...others] = token.split('.')
  if (encoded === undefined || signaturePart === undefined || others.length > 0) {
    return failed('malformed')
  }
  const signature = fromBase64Url(signaturePart)
  const payloadBytes = fromBase64Url(encoded)
  if (signature === undefined || payloadBytes === undefined) return failed('malformed')

  const genuine = await crypto.subtle.verify('HMAC', key, signature, signedBytes(encoded))
  if (!genuine) return failed('bad-signature')

  const payload = parsePayload(payloadBytes)
  if (payload === undefined) return failed('malformed')
  if (payload.expiresAt <= nowMs) return failed('expired')
  if (payload.expiresAt > nowMs + limits.jobTokenLifetimeMs + limits.clockSkewMs) {
    return failed('lifetime-too-long')
  }
  if (payload.bodySha256 !== bodySha256) return failed('body-mismatch')
  return { ok: true, payload }
}

/** Lower-case hex SHA-256 of bytes, or of a string's UTF-8. */
export async function sha256Hex(data: Uint8Array<ArrayBuffer> | string): Promise<string> {
  const bytes = typeof data === 'string' ? encoder.encode(data) : data
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

const failed = (failure: JobTokenFailure): JobTokenVerdict => ({ ok: false, failure })

function signedBytes(encodedPayload: string) {
  return encoder.encode(`${PURPOSE}.${encodedPayload}`)
}

function parsePayload(bytes: Uint8Array): JobTokenPayload | undefined {
  try {
    return payloadSchema.safeParse(JSON.parse(new TextDecoder().decode(bytes))).data
  } catch {
    return undefined
  }
}
