import { ApiError, importJobSecret, sha256Hex, signJobToken } from '@setblock/shared'
import type { JobKey } from '@setblock/shared'
import type { Clock } from '../deps.ts'
import type { EdgeLimits } from '../limits.ts'
import { readRefusal, toWorkerError } from './worker-errors.ts'
import { fetchWithin } from './worker-fetch.ts'
import type { WorkerFetch, WorkerResponse } from './worker-fetch.ts'

/** A body on its way to a worker, and the token that vouches for it. */
export interface SignedPost {
  readonly path: string
  readonly body: string
  readonly token: string
  readonly signal: AbortSignal
}

/** How everything reaches a worker: as a POST whose token signs its body and names the tenant. */
export function createSignedPosts(options: {
  secret: string
  fetch: WorkerFetch
  clock: Clock
  limits: EdgeLimits
}) {
  const { secret, fetch, clock, limits } = options
  let key: JobKey | undefined

  async function sign(
    path: string,
    value: object,
    { tenant, signal }: { tenant: string; signal: AbortSignal },
  ): Promise<SignedPost> {
    const body = JSON.stringify(value)
    key ??= await importJobSecret(secret)
    const expiresAt = clock() + limits.jobTokenLifetimeMs
    const payload = { tenant, expiresAt, bodySha256: await sha256Hex(body) }
    return { path, body, token: await signJobToken(key, payload), signal }
  }

  /** An answer that is not a refusal. @throws ApiError, or the signal's reason */
  async function send(
    url: string,
    { path, body, token, signal }: SignedPost,
  ): Promise<WorkerResponse> {
    const response = await fetchWithin(fetch, url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body,
      signal,
      answerMs: limits.workerAnswerMs,
    }).catch((error: unknown) => {
      signal.throwIfAborted()
      throw toWorkerError(error)
    })
    if (response.status !== 200) throw await readRefusal(response, limits.errorBodyBytesMax)
    return response
  }

  /** Asks one worker after the other, as long as each refuses with a code of `askNext`. */
  async function sendToFirst(
    urls: readonly string[],
    askNext: ReadonlySet<string>,
    post: SignedPost,
  ): Promise<WorkerResponse> {
    let refusal: unknown
    for (const url of urls) {
      try {
        return await send(url, post)
      } catch (error) {
        if (!(error instanceof ApiError) || !askNext.has(error.code)) throw error
        refusal = error
      }
    }
    throw refusal
  }

  return { sign, send, sendToFirst }
}
