import { ApiError, importJobSecret, parseEvents, sha256Hex, signJobToken } from '@setblock/shared'
import type { Job, JobEvent, JobKey } from '@setblock/shared'
import type { Clock } from '../deps.ts'
import type { EdgeLimits } from '../limits.ts'
import { readRefusal, toWorkerError } from './worker-errors.ts'
import { fetchWithin, watchSilence } from './worker-fetch.ts'
import type { WorkerFetch, WorkerResponse } from './worker-fetch.ts'

export interface WorkerClient {
  /**
   * Hands a job to a worker and resolves once one has accepted it. The events start with `start`
   * and close with one `end` or `error`; aborting the signal ends the job. Both the promise and the
   * events reject with ApiErrors, or with the signal's reason.
   */
  open(job: Job, options: { tenant: string; signal: AbortSignal }): Promise<AsyncIterable<JobEvent>>
  /** How many workers there are, and how many of them say that they take jobs. */
  readiness(): Promise<{ ready: number; total: number }>
}

export interface WorkerClientOptions {
  /** Base URLs, at least one, without a slash at the end. */
  urls: readonly string[]
  /** The secret shared with the workers. */
  secret: string
  fetch: WorkerFetch
  clock: Clock
  limits: EdgeLimits
}

/** A worker that refuses like this has not begun, so the next one may be asked. */
const ASK_NEXT: ReadonlySet<string> = new Set([
  'worker_unavailable',
  'worker_draining',
  'overloaded',
])

export function createWorkerClient(options: WorkerClientOptions): WorkerClient {
  const { urls, secret, fetch, clock, limits } = options
  let key: JobKey | undefined
  let turn = 0

  async function sign(body: string, tenant: string): Promise<string> {
    key ??= await importJobSecret(secret)
    const expiresAt = clock() + limits.jobTokenLifetimeMs
    return signJobToken(key, { tenant, expiresAt, bodySha256: await sha256Hex(body) })
  }

  async function offer(url: string, body: string, token: string, signal: AbortSignal) {
    const response = await fetchWithin(fetch, `${url}/v1/jobs`, {
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
    return readEvents(response, { signal, silenceMs: limits.stallMs })
  }

  async function isReady(url: string): Promise<boolean> {
    const { signal } = new AbortController()
    const request = { method: 'GET', headers: {}, signal, answerMs: limits.readinessMs } as const
    try {
      const response = await fetchWithin(fetch, `${url}/readyz`, request)
      await response.body?.cancel()
      return response.status === 200
    } catch {
      return false
    }
  }

  return {
    async open(job, { tenant, signal }) {
      const body = JSON.stringify(job)
      const token = await sign(body, tenant)
      let refusal: unknown
      turn = (turn + 1) % urls.length
      for (const url of [...urls.slice(turn), ...urls.slice(0, turn)]) {
        try {
          return await offer(url, body, token, signal)
        } catch (error) {
          if (!(error instanceof ApiError) || !ASK_NEXT.has(error.code)) throw error
          refusal = error
        }
      }
      throw refusal
    },
    async readiness() {
      const answers = await Promise.all(urls.map(isReady))
      return { ready: answers.filter(Boolean).length, total: urls.length }
    },
  }
}

async function* readEvents(
  response: WorkerResponse,
  { signal, silenceMs }: { signal: AbortSignal; silenceMs: number },
): AsyncGenerator<JobEvent> {
  try {
    if (response.body === null) throw new Error('an accepted job without a body')
    yield* parseEvents(watchSilence(response.body, silenceMs))
  } catch (error) {
    signal.throwIfAborted()
    throw toWorkerError(error)
  }
}
