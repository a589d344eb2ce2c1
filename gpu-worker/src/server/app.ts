import {
  ApiError,
  ERRORS,
  importJobSecret,
  jobSchema,
  limits,
  parseWith,
  sessionCallSchema,
  type EndEvent,
  type ErrorEvent,
} from '@setblock/shared'
import { Hono, type Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { ServedModels } from '../models/served-models.ts'
import { answerSessionCall } from '../sessions/session-calls.ts'
import type { WorkerSessions } from '../sessions/worker-sessions.ts'
import { meteredModel } from '../metrics/engine-metrics.ts'
import { createWorkerMetrics } from '../metrics/worker-metrics.ts'
import { JobGate } from './job-gate.ts'
import { jobStream } from './job-stream.ts'
import { JobWatch } from './job-watch.ts'
import type { Log, LogLevel } from './log.ts'
import { describeModel, memoryUse, stateOf, totalStats } from './status.ts'
import { assertServable } from './validate-job.ts'

export interface ServerDependencies {
  readonly models: ServedModels
  readonly sessions: WorkerSessions
  /** The secret shared with the edge, and the one before it as long as it counts. */
  readonly jobSecrets: readonly string[]
  readonly log: Log
  /** Unix time in milliseconds. */
  readonly now: () => number
}

/** The worker's HTTP routes. Before the first event an error is a JSON envelope, after it an event. */
export async function createApp(dependencies: ServerDependencies): Promise<Hono> {
  const { models, sessions, log } = dependencies
  const metrics = createWorkerMetrics(models.all.map(meteredModel), sessions.blocks)
  const keys = await Promise.all(dependencies.jobSecrets.map(importJobSecret))
  const gate = new JobGate(keys, dependencies.now)
  const app = new Hono()

  app.get('/healthz', (c) => c.json({ status: 'ok' }))

  app.get('/readyz', (c) => {
    const state = stateOf(models)
    const { blocks } = sessions
    const answer = {
      status: state,
      activeJobs: models.activeJobs,
      scheduler: totalStats(models),
      models: models.all.map(describeModel),
      sessions: { memoryBytes: blocks.memoryBytes, ...blocks.counts },
      memory: memoryUse(),
    }
    return c.json(answer, state === 'ready' ? 200 : 503)
  })

  app.get('/v1/models', (c) => c.json({ models: models.all.map(describeModel) }))

  app.get('/metrics', async (c) =>
    c.body(await metrics.text(), 200, { 'content-type': metrics.contentType }),
  )

  app.post('/v1/jobs', jobBodyLimit(), async (c) => {
    const requestId = readRequestId(c)
    let watch: JobWatch | undefined
    try {
      const body = new Uint8Array(await c.req.arrayBuffer())
      const tenant = await gate.admit(c.req.header('authorization'), body)
      const job = parseWith(jobSchema, parseJson(body))
      const { engine, session } = models.find(job.model)
      assertServable(job, engine.manifest)
      const watched = (watch = new JobWatch(job, metrics.jobs))
      const prepared = await sessions.jobs.prepare(job, tenant, session)
      watched.prepared(prepared.restoredFrom)
      // Nobody waits for it any more: a job that lay here while this process stood still has been
      // given to another worker.
      if (c.req.raw.signal.aborted) {
        await prepared.abandon('failed')
        throw new ApiError('aborted', 'the client left before its job began')
      }
      const onOver = (last: EndEvent | ErrorEvent): void =>
        log(levelOf(last), 'job', { requestId, ...watched.over(last) })
      const stream = jobStream({ engine, prepared, signal: c.req.raw.signal, watch, onOver })
      return c.body(stream, 200, NDJSON_HEADERS)
    } catch (error) {
      const { code } = ApiError.from(error)
      // What names no model of ours must not become a label.
      if (watch === undefined) metrics.jobs.refused('none', code)
      const known = watch?.refused(code) ?? { outcome: 'refused', code }
      log(ERRORS[code].status >= 500 ? 'error' : 'warn', 'job', { requestId, ...known })
      throw error
    }
  })

  addSessionRoute(app, gate, dependencies)

  app.notFound((c) =>
    refuse(c, new ApiError('not_found', `no route ${c.req.method} ${c.req.path}`)),
  )
  app.onError((error, c) => {
    const known = ApiError.from(error)
    if (!(error instanceof ApiError))
      log('error', 'fault', { path: c.req.path, message: error.message })
    return refuse(c, known)
  })
  return app
}

const NDJSON_HEADERS = { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' }

/** The edge's id of the request, if it may stand in a log line. */
function readRequestId(c: Context): string | null {
  const id = c.req.header('x-request-id') ?? ''
  return /^[\w.:-]{1,128}$/.test(id) ? id : null
}

function levelOf(last: EndEvent | ErrorEvent): LogLevel {
  return last.type === 'error' && ERRORS[last.code].status >= 500 ? 'error' : 'info'
}

/** Calls about sessions; what is asked is in the body, so that the token signs it. */
function addSessionRoute(app: Hono, gate: JobGate, { models, sessions }: ServerDependencies): void {
  const options = {
    sessions: sessions.service,
    jobs: sessions.jobs,
    cancel: (jobId: string) => models.cancel(jobId),
  }
  app.post('/v1/sessions', jobBodyLimit(), async (c) => {
    const body = new Uint8Array(await c.req.arrayBuffer())
    const tenant = await gate.admit(c.req.header('authorization'), body)
    const call = parseWith(sessionCallSchema, parseJson(body))
    return c.json(await answerSessionCall(options, tenant, call))
  })
}

function jobBodyLimit() {
  return bodyLimit({
    maxSize: limits.jobBodyBytesMax,
    onError: () => {
      throw new ApiError('request_too_large', `a job may have ${limits.jobBodyBytesMax} bytes`)
    },
  })
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new ApiError('invalid_json', 'the body is not JSON in UTF-8')
  }
}

function refuse(c: Context, error: ApiError): Response {
  const headers: Record<string, string> = {}
  if (error.retryAfterSeconds !== undefined)
    headers['retry-after'] = String(error.retryAfterSeconds)
  // The rest of the body was never read, so the connection cannot carry another request.
  if (error.code === 'request_too_large') headers['connection'] = 'close'
  return c.json(error.toEnvelope(), ERRORS[error.code].status as 400, headers)
}
