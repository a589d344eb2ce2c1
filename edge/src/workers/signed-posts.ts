import { ApiError, importJobSecret, sha256Hex, signJobToken } from '@setblock/shared'
import type { JobKey } from '@setblock/shared'
import type { Clock } from '../deps.ts'
import type { EdgeLimits } from '../limits.ts'
import type { EdgeMetrics } from '../metrics/edge-metrics.ts'
import type { HealthMemory } from './worker-health.ts'
import type { CallOptions } from './worker-client.ts'
import { readRefusal, toWorkerError } from './worker-errors.ts'
import { fetchWithin } from './worker-fetch.ts'
import type { WorkerFetch, WorkerResponse } from './worker-fetch.ts'

/** A body on its way to a worker, and the token that vouches for it. */
export interface SignedPost {
  readonly path: string
  readonly body: string
  readonly token: string
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

/** How a worker refuses a job of which it has not the model, or another one of that name. */
export const LACKS_MODEL = ['model_not_found', 'model_mismatch']

/** Stands where a tenant belongs in what the edge asks for itself. */
const NO_TENANT = '-'

export const NOBODY = 'there is no model worker to ask'

/** How everything reaches a worker: as a POST whose token signs its body and names the tenant. */
export function createSignedPosts(options: {
  secret: string
  fetch: WorkerFetch
  clock: Clock
  limits: EdgeLimits
  health: HealthMemory
  metrics: Pick<EdgeMetrics, 'workerAnswered'>
}) {
  const { secret, fetch, clock, limits, health, metrics } = options
  let key: JobKey | undefined

  async function sign(
    path: string,
    value: object,
    { tenant, headers = {}, signal }: CallOptions,
  ): Promise<SignedPost> {
    const body = JSON.stringify(value)
    return { path, body, token: await tokenFor(tenant, body), headers, signal }
  }

  async function tokenFor(tenant: string, body: string): Promise<string> {
    key ??= await importJobSecret(secret)
    const expiresAt = clock() + limits.jobTokenLifetimeMs
    return signJobToken(key, { tenant, expiresAt, bodySha256: await sha256Hex(body) })
  }

  /** The status of a worker that is asked whether it takes this edge's jobs; 0 where it does not answer. */
  async function readiness(url: string): Promise<number> {
    const { signal } = new AbortController()
    const headers = { authorization: `Bearer ${await tokenFor(NO_TENANT, '')}` }
    const request = { method: 'GET', headers, signal, answerMs: limits.readinessMs } as const
    try {
      const response = await fetchWithin(fetch, `${url}/readyz`, request)
      await response.body?.cancel()
      return response.status
    } catch {
      return 0
    }
  }

  /** An answer that is not a refusal. @throws ApiError, or the signal's reason */
  async function send(url: string, post: SignedPost): Promise<WorkerResponse> {
    health.asking(url)
    try {
      const response = await exchange({ fetch, limits }, url, post)
      health.answered(url)
      metrics.workerAnswered('ok')
      return response
    } catch (error) {
      // A client that left says nothing about the worker.
      post.signal.throwIfAborted()
      if (error instanceof ApiError) metrics.workerAnswered(error.code)
      if (isFailing(error)) health.failed(url, { leaving: error.code === 'worker_draining' })
      else health.answered(url)
      throw error
    }
  }

  /**
   * Asks one worker after the other, those that failed lately last, as long as each refuses with a
   * code of `askNext`. Of several refusals that of a worker with the model says most.
   */
  async function askFirst(
    urls: readonly string[],
    askNext: ReadonlySet<string>,
    ask: (url: string) => Promise<WorkerResponse>,
  ): Promise<{ url: string; response: WorkerResponse }> {
    let refusal: ApiError | undefined
    for (const url of health.order(urls)) {
      try {
        return { url, response: await ask(url) }
      } catch (error) {
        if (!(error instanceof ApiError) || !askNext.has(error.code)) throw error
        if (refusal === undefined || !LACKS_MODEL.includes(error.code)) refusal = error
      }
    }
    throw refusal ?? new ApiError('worker_unavailable', NOBODY)
  }

  return { sign, send, askFirst, readiness }
}

/** One worker's answer. @throws ApiError where it is a refusal or none, or the signal's reason */
async function exchange(
  { fetch, limits }: { fetch: WorkerFetch; limits: EdgeLimits },
  url: string,
  { path, body, token, headers, signal }: SignedPost,
): Promise<WorkerResponse> {
  const response = await fetchWithin(fetch, url + path, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json', authorization: `Bearer ${token}` },
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

/** Whether a worker is not there, or will not be soon. */
export function isFailing(error: unknown): error is ApiError {
  if (!(error instanceof ApiError)) return false
  return error.code === 'worker_unavailable' || error.code === 'worker_draining'
}
