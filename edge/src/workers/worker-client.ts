import { ApiError, parseEvents } from '@setblock/shared'
import type { Job, JobEvent, SessionAnswer, SessionCall } from '@setblock/shared'
import type { Clock } from '../deps.ts'
import type { EdgeLimits } from '../limits.ts'
import type { EdgeMetrics } from '../metrics/edge-metrics.ts'
import { rotate, workersFor } from './choose-workers.ts'
import type { WorkerDirectory } from './directory.ts'
import { createLoadedModels } from './loaded-models.ts'
import type { LoadedModel } from './loaded-models.ts'
import { rendezvousOrder } from './rendezvous.ts'
import { createSignedPosts, isFailing, LACKS_MODEL, NOBODY } from './signed-posts.ts'
import { mergeLists, readSessionAnswer } from './session-answers.ts'
import { toWorkerError } from './worker-errors.ts'
import { createHealthMemory } from './worker-health.ts'
import { createWorkerRoom } from './worker-room.ts'
import { watchSilence } from './worker-fetch.ts'
import type { WorkerFetch, WorkerResponse } from './worker-fetch.ts'

/** On whose behalf a worker is asked, and until when. */
export interface CallOptions {
  readonly tenant: string
  /** Not signed: for the worker's log and traces, and for nothing that matters. */
  readonly headers?: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

export interface WorkerClient {
  /**
   * Hands a job to a worker that has its model and resolves once one has accepted it; aborting the
   * signal ends the job. Both the promise and the events reject with ApiErrors, or with the
   * signal's reason.
   */
  open(job: Job, options: CallOptions): Promise<OpenJob>
  /**
   * Refuses what no worker would take, before anything has been done for it.
   * @throws ApiError `overloaded` while every worker that is known says that it is full, or says nothing
   */
  assertRoom(): void
  /**
   * Asks about sessions: the worker of the one that is named, or every worker for a list.
   * @throws ApiError of the session, or of the worker.
   */
  session(call: SessionCall, options: CallOptions): Promise<SessionAnswer>
  /** How many workers there are, how many of them take jobs, and how many do, but not this edge's. */
  readiness(): Promise<{ ready: number; refused: number; total: number }>
  /** The models that at least one worker has loaded. @throws ApiError if no worker answers */
  loaded(): Promise<readonly LoadedModel[]>
}

/** A job that a worker has accepted. */
export interface OpenJob {
  /** They start with `start` and close with one `end` or `error`. */
  readonly events: AsyncIterable<JobEvent>
  /** Asks the very worker that runs the job. */
  session(call: SessionCall, options: CallOptions): Promise<SessionAnswer>
}

export interface WorkerClientOptions {
  directory: WorkerDirectory
  /** The secret shared with the workers. */
  secret: string
  fetch: WorkerFetch
  clock: Clock
  limits: EdgeLimits
  metrics: Pick<EdgeMetrics, 'workerAnswered' | 'withheld'>
}

const GONE = ['worker_unavailable', 'worker_draining']

/** A worker that refuses like this has not begun, so the next one may be asked. */
const ASK_NEXT: ReadonlySet<string> = new Set([...GONE, ...LACKS_MODEL, 'overloaded'])

/** A job that names a session stays with its worker while that one lives, however busy it is. */
const SESSION_ASK_NEXT: ReadonlySet<string> = new Set([...GONE, ...LACKS_MODEL])

/** Workers of different models may share no store: then a session is where its model is. */
const CALL_ASK_NEXT: ReadonlySet<string> = new Set([...GONE, 'session_not_found'])

export function createWorkerClient(options: WorkerClientOptions): WorkerClient {
  const { limits, clock } = options
  const health = createHealthMemory({ clock, limits })
  const posts = createSignedPosts({ ...options, health })
  const loaded = createLoadedModels(options)
  const room = createWorkerRoom(options)
  let turn = 0
  let known: readonly string[] = []

  async function list() {
    const entries = await options.directory.list().catch((error: unknown) => {
      throw toWorkerError(error)
    })
    known = entries.map(({ url }) => url)
    return entries
  }

  const readSession = (response: WorkerResponse) =>
    readSessionAnswer(response, limits.sessionAnswerBytesMax)

  return {
    async open(job, call) {
      const { tenant, signal } = call
      const urls = workersFor(await list(), job.model)
      room.assertAny(urls)
      const signed = await posts.sign('/v1/jobs', job, call)
      const ask = (url: string) => room.offer(url, () => posts.send(url, signed))
      turn += 1
      const { session } = job
      const { url, response } =
        session === undefined
          ? await posts.askFirst(rotate(urls, turn), ASK_NEXT, ask)
          : await posts.askFirst(homes(urls, tenant, session.id), SESSION_ASK_NEXT, ask)
      const onBroken = () => health.failed(url)
      return {
        events: readEvents(response, { signal, silenceMs: limits.stallMs, onBroken }),
        async session(call, caller) {
          const post = await posts.sign('/v1/sessions', call, caller)
          return readSession(await posts.send(url, post))
        },
      }
    },
    async session(call, callOptions) {
      const { tenant } = callOptions
      const signed = await posts.sign('/v1/sessions', call, callOptions)
      const urls = (await list()).map(({ url }) => url)
      const ask = (url: string) => posts.send(url, signed)
      if (call.operation === 'list') {
        const read = async (url: string) => readSession(await ask(url))
        const answers = ofThoseThere(await Promise.allSettled(urls.map(read)))
        return mergeLists(answers, call.count ?? limits.sessionsPageMax)
      }
      const order = homes(urls, tenant, call.id)
      return readSession((await posts.askFirst(order, CALL_ASK_NEXT, ask)).response)
    },
    async readiness() {
      const urls = (await options.directory.list().catch(() => [])).map(({ url }) => url)
      const statuses = await Promise.all(urls.map((url) => posts.readiness(url)))
      const count = (status: number) => statuses.filter((each) => each === status).length
      return { ready: count(200), refused: count(401), total: urls.length }
    },
    assertRoom: () => room.assertAny(known),
    loaded,
  }
}

/**
 * What those workers say that are there: where one is gone, so are sessions that only it knew.
 * @throws ApiError what a worker that is there refuses with, or `worker_unavailable` where none is
 */
function ofThoseThere(results: readonly PromiseSettledResult<SessionAnswer>[]): SessionAnswer[] {
  const answers: SessionAnswer[] = []
  let absence = new ApiError('worker_unavailable', NOBODY)
  for (const result of results) {
    if (result.status === 'fulfilled') answers.push(result.value)
    else if (isFailing(result.reason)) absence = result.reason
    else throw result.reason as Error
  }
  if (answers.length === 0) throw absence
  return answers
}

async function* readEvents(
  response: WorkerResponse,
  { signal, silenceMs, onBroken }: { signal: AbortSignal; silenceMs: number; onBroken: () => void },
): AsyncGenerator<JobEvent> {
  try {
    if (response.body === null) throw new Error('an accepted job without a body')
    yield* parseEvents(watchSilence(response.body, silenceMs))
  } catch (error) {
    signal.throwIfAborted()
    const failure = toWorkerError(error)
    if (isFailing(failure)) onBroken()
    throw failure
  }
}

/** Where a session lives, and where it goes if its worker is gone. */
function homes(urls: readonly string[], tenant: string, sessionId: string): string[] {
  return rendezvousOrder(urls, `${tenant}\n${sessionId}`)
}
