import * as z from 'zod'
import { fromBase64Url, toBase64Url } from './base64url.ts'
import type { JobKey } from './job-token.ts'
import { limits } from './limits.ts'

/** Signed in front of the body, so that nothing signed for another purpose passes for this. */
const PURPOSE = 'setblock-worker-v1'

/**
 * An origin and nothing more: what follows it would be part of every request sent there.
 * Written as `URL` writes it, so that one worker has one name.
 */
export const workerUrlSchema = z
  .string()
  .max(limits.workerUrlCharactersMax)
  .transform((text, context) => {
    const url = URL.canParse(text) ? new URL(text) : undefined
    const bare = url !== undefined && `${url.origin}/` === url.href
    if (bare && /^https?:$/.test(url.protocol)) return url.origin
    context.addIssue({ code: 'custom', message: 'must be http(s)://host[:port] and nothing more' })
    return z.NEVER
  })

/** What a worker tells the edge of itself, again and again while it takes jobs. */
export const workerAnnouncementSchema = z.strictObject({
  /** Where the edge reaches it. */
  url: workerUrlSchema,
  /** `leaving`: it drains and shall get no more jobs. */
  state: z.enum(['ready', 'leaving']),
  /** Ids of the models it serves. */
  models: z.array(z.string().min(1).max(limits.modelIdCharactersMax)).max(limits.workerModelsMax),
  /** Unix milliseconds by the worker's clock; of two announcements the later one counts. */
  sentAt: z.int().min(0),
})

export type WorkerAnnouncement = z.infer<typeof workerAnnouncementSchema>

/** The edge's answer. */
export const announcementAnswerSchema = z.object({
  /** How long the worker counts as present without another announcement. */
  leaseMs: z.int().min(1),
})

const encoder = new TextEncoder()

function signedBytes(body: Uint8Array): Uint8Array<ArrayBuffer> {
  const purpose = encoder.encode(`${PURPOSE}.`)
  const bytes = new Uint8Array(purpose.length + body.length)
  bytes.set(purpose)
  bytes.set(body, purpose.length)
  return bytes
}

/** Signs the body of an announcement, byte for byte; base64url. */
export async function signAnnouncement(key: JobKey, body: string): Promise<string> {
  const signature = await crypto.subtle.sign('HMAC', key, signedBytes(encoder.encode(body)))
  return toBase64Url(new Uint8Array(signature))
}

/** Whether one of the keys signed this body. */
export async function isAnnouncementSigned(
  keys: readonly JobKey[],
  body: Uint8Array,
  signature: string,
): Promise<boolean> {
  const bytes = fromBase64Url(signature)
  if (bytes === undefined) return false
  for (const key of keys) {
    if (await crypto.subtle.verify('HMAC', key, bytes, signedBytes(body))) return true
  }
  return false
}
