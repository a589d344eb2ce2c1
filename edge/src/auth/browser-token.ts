import { fromBase64Url, limits, toBase64Url } from '@setblock/shared'
import * as z from 'zod'
import { edgeLimits } from '../limits.ts'
import { scopeSchema } from './api-key.ts'

/** Signed with the payload, so that no token made for another purpose passes for a browser's. */
const PURPOSE = 'setblock-browser-v1'
export const BROWSER_TOKEN_PREFIX = 'sbt-'

/** What pages may be allowed: never to mint more tokens, to read accounts or to manage keys. */
const browserScopeSchema = scopeSchema.extract(['generate'])

/** An origin as browsers send it: scheme, host and port, nothing behind. */
export const originSchema = z
  .url({ protocol: /^https?$/ })
  .max(edgeLimits.originCharactersMax)
  // Checked here too: refinements run on what an earlier check has refused.
  .refine(
    (url) => URL.canParse(url) && new URL(url).origin === url,
    'must be an origin such as https://example.com',
  )

const payloadSchema = z.strictObject({
  /** Id of the key that made the token, and that it lives and dies with. */
  keyId: z.string().min(1).max(limits.jobIdCharactersMax),
  scopes: z.array(browserScopeSchema).min(1),
  /** The one origin whose pages may use the token; null for any. */
  origin: z.string().nullable(),
  /** Unix milliseconds. */
  expiresAt: z.int().min(0),
})
export type BrowserTokenPayload = z.infer<typeof payloadSchema>

/** Body of `POST /v1/tokens`. */
export const createTokenSchema = z.strictObject({
  expires_in_seconds: z
    .int()
    .min(edgeLimits.browserTokenSecondsMin)
    .max(edgeLimits.browserTokenSecondsMax)
    .default(edgeLimits.browserTokenSecondsDefault),
  scopes: z.array(browserScopeSchema).min(1).default(['generate']),
  origin: originSchema.optional(),
})

/** The answer to `POST /v1/tokens`. */
export const createdTokenSchema = z.object({
  object: z.literal('browser_token'),
  token: z.string(),
  scopes: z.array(browserScopeSchema),
  origin: z.string().nullable(),
  /** Unix seconds. */
  expires_at: z.int().min(0),
})

/** Signs and reads browser tokens: `sbt-payload.signature`, base64url, HMAC-SHA256. */
export interface BrowserTokens {
  sign(payload: BrowserTokenPayload): Promise<string>
  /** Undefined unless the token is ours and unaltered. Expiry is for the caller to judge. */
  read(token: string): Promise<BrowserTokenPayload | undefined>
}

/** Tokens under a key that is derived from `secret` for this purpose alone. */
export function createBrowserTokens(secret: string): BrowserTokens {
  const utf8 = new TextEncoder()
  const signed = (encoded: string) => utf8.encode(`${PURPOSE}.${encoded}`)
  return {
    async sign(payload) {
      const encoded = toBase64Url(utf8.encode(JSON.stringify(payloadSchema.parse(payload))))
      const key = await deriveKey(secret)
      const signature = await crypto.subtle.sign('HMAC', key, signed(encoded))
      return `${BROWSER_TOKEN_PREFIX}${encoded}.${toBase64Url(new Uint8Array(signature))}`
    },
    async read(token) {
      if (!token.startsWith(BROWSER_TOKEN_PREFIX)) return undefined
      const [encoded = '', tag = '', ...others] = token
        .slice(BROWSER_TOKEN_PREFIX.length)
        .split('.')
      const [payload, signature] = [fromBase64Url(encoded), fromBase64Url(tag)]
      if (payload === undefined || signature === undefined || others.length > 0) return undefined
      const key = await deriveKey(secret)
      if (!(await crypto.subtle.verify('HMAC', key, signature, signed(encoded)))) return undefined
      try {
        return payloadSchema.safeParse(JSON.parse(new TextDecoder().decode(payload))).data
      } catch {
        return undefined
      }
    },
  }
}

async function deriveKey(secret: string) {
  const utf8 = new TextEncoder()
  const material = await crypto.subtle.importKey('raw', utf8.encode(secret), 'HKDF', false, [
    'deriveKey',
  ])
  return crypto.subtle.deriveKey(
    { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: utf8.encode(PURPOSE) },
    material,
    { name: 'HMAC', hash: 'SHA-256', length: 256 },
    false,
    ['sign', 'verify'],
  )
}
