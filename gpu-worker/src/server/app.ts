import { trace, type Tracer } from '@opentelemetry/api'
import { ApiError, ERRORS, importJobSecret } from '@setblock/shared'
import { Hono, type Context } from 'hono'
import { meteredModel } from '../metrics/engine-metrics.ts'
import { createWorkerMetrics } from '../metrics/worker-metrics.ts'
import type { ServedModels } from '../models/served-models.ts'
import type { WorkerSessions } from '../sessions/worker-sessions.ts'
import { JobGate } from './job-gate.ts'
import { addJobRoute } from './job-route.ts'
import type { Log } from './log.ts'
import { addSessionRoute } from './session-route.ts'
import { describeModel, memoryUse, stateOf, totalStats } from './status.ts'

export interface ServerDependencies {
  readonly models: ServedModels
  readonly sessions: WorkerSessions
  /** The secret shared with the edge, and the one before it as long as it counts. */
  readonly jobSecrets: readonly string[]
  readonly log: Log
  /** Writes spans; by default one that does nothing. */
  readonly tracer?: Tracer
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

  app.get('/readyz', async (c) => {
    // An edge that signs its question learns whether its jobs would be taken; a probe signs nothing.
    const authorization = c.req.header('authorization')
    if (authorization !== undefined) await gate.recognise(authorization)
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

  const { tracer = trace.getTracer('setblock') } = dependencies
  addJobRoute(app, gate, { ...dependencies, tracer, metrics: metrics.jobs })
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

function refuse(c: Context, error: ApiError): Response {
  const headers: Record<string, string> = {}
  if (error.retryAfterSeconds !== undefined)
    headers['retry-after'] = String(error.retryAfterSeconds)
  // The rest of the body was never read, so the connection cannot carry another request.
  if (error.code === 'request_too_large') headers['connection'] = 'close'
  return c.json(error.toEnvelope(), ERRORS[error.code].status as 400, headers)
}
