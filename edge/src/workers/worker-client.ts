import { parseEvents } from '@setblock/shared'
import type { Job, JobEvent, SessionAnswer, SessionCall } from '@setblock/shared'
import type { Clock } from '../deps.ts'
import type { EdgeLimits } from '../limits.ts'
import { rendezvousOrder } from './rendezvous.ts'
import { createSignedPosts } from './signed-posts.ts'
import { mergeLists, readSessionAnswer } from './session-answers.ts'
import { toWorkerError } from './worker-errors.ts'
import { fetchWithin, watchSilence } from './worker-fetch.ts'
import type { WorkerFetch, WorkerResponse } from './worker-fetch.ts'

export interface WorkerClient {
  /**
   * Hands a job to a worker and resolves once one has accepted it. The events start with `start`
   * and close with one `end` or `error`; aborting the signal ends the job. Both the promise and the
   * events reject with ApiErrors, or with the signal's reason.
   */
  open(job: Job, options: { tenant: string; signal: AbortSignal }): Promise<AsyncIterable<JobEvent>>
  /**
   * Asks about sessions: the worker of the one that is named, or every worker for a list.
   * @throws ApiError of the session, or of the worker.
   */
  session(
    call: SessionCall,
    options: { tenant: string; signal: AbortSignal },
  ): Promise<SessionAnswer>
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

/** A job that names a session stays with its worker while that one lives, however busy it is. */
const SESSION_ASK_NEXT: ReadonlySet<string> = new Set(['worker_unavailable', 'worker_draining'])

export function createWorkerClient(options: WorkerClientOptions): WorkerClient {
  const { urls, fetch, limits } = options
  const posts = createSignedPosts(options)
  let turn = 0

  function inTurn(): string[] {
    turn = (turn + 1) % urls.length
    return [...urls.slice(turn), ...urls.slice(0, turn)]
  }

  /** Where a session lives, and where it goes if its worker is gone. */
  const homes = (tenant: string, sessionId: string): string[] =>
    rendezvousOrder(urls, `${tenant}\n${sessionId}`)

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
      const signed = await posts.sign('/v1/jobs', job, { tenant, signal })
      const { session } = job
      const response =
        session === undefined
          ? await posts.sendToFirst(inTurn(), ASK_NEXT, signed)
          : await posts.sendToFirst(homes(tenant, session.id), SESSION_ASK_NEXT, signed)
      return readEvents(response, { signal, silenceMs: limits.stallMs })
    },
    async session(call, { tenant, signal }) {
      const signed = await posts.sign('/v1/sessions', call, { tenant, signal })
      const read = (response: WorkerResponse) =>
        readSessionAnswer(response, limits.sessionAnswerBytesMax)
      if (call.operation === 'list') {
        const answers = await Promise.all(
          urls.map(async (url) => read(await posts.send(url, signed))),
        )
        return mergeLists(answers, call.count ?? limits.sessionsPageMax)
      }
      return read(await posts.sendToFirst(homes(tenant, call.id), SESSION_ASK_NEXT, signed))
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
