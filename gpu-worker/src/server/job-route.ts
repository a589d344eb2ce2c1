import type { Tracer } from '@opentelemetry/api'
import {
  ApiError,
  ERRORS,
  jobSchema,
  parseTraceparent,
  parseWith,
  type EndEvent,
  type ErrorCode,
  type ErrorEvent,
} from '@setblock/shared'
import type { Hono } from 'hono'
import { SchemaRules } from '../grammar/schema-rules.ts'
import type { JobMetrics } from '../metrics/job-metrics.ts'
import type { ServedModels } from '../models/served-models.ts'
import type { WorkerSessions } from '../sessions/worker-sessions.ts'
import { traceJob } from '../tracing/job-trace.ts'
import { jobStream } from './job-stream.ts'
import { JobWatch } from './job-watch.ts'
import type { Log, LogFields } from './log.ts'
import type { JobGate } from './job-gate.ts'
import { jobBodyLimit, readRequestId, readSigned } from './signed-request.ts'
import { assertServable } from './validate-job.ts'

export interface JobRouteOptions {
  readonly models: ServedModels
  readonly sessions: WorkerSessions
  readonly metrics: JobMetrics
  readonly tracer: Tracer
  readonly log: Log
}

const NDJSON_HEADERS = { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' }

/** Jobs. Each leaves one line in the log when it is over, or refused, under the edge's id of its request. */
export function addJobRoute(app: Hono, gate: JobGate, options: JobRouteOptions): void {
  const { models, sessions, metrics, tracer, log } = options
  const rules = new SchemaRules()
  app.post('/v1/jobs', jobBodyLimit(), async (c) => {
    const requestId = readRequestId(c)
    const above = parseTraceparent(c.req.header('traceparent'))
    const place = above && { ...above, tracestate: c.req.header('tracestate') }
    let watch: JobWatch | undefined
    const note = (code: ErrorCode | undefined, fields: LogFields): void => {
      log(levelOf(code), 'job', { requestId, traceId: place?.traceId ?? null, ...fields })
      if (watch !== undefined)
        traceJob(tracer, place, watch.traced(code === 'aborted' ? undefined : code))
    }
    try {
      const { tenant, value } = await readSigned(c, gate)
      const job = parseWith(jobSchema, value)
      const { engine, session } = models.find(job.model)
      assertServable(job, engine.manifest, rules)
      const watched = (watch = new JobWatch(job, metrics))
      engine.assertOpen()
      const prepared = await sessions.jobs.prepare(job, tenant, session)
      watched.prepared(prepared.restoredFrom)
      // Nobody waits for it any more: a job that lay here while this process stood still has been
      // given to another worker.
      if (c.req.raw.signal.aborted) {
        await prepared.abandon('failed')
        throw new ApiError('aborted', 'the client left before its job began')
      }
      const onOver = (last: EndEvent | ErrorEvent): void =>
        note(last.type === 'error' ? last.code : undefined, watched.over(last))
      const stream = jobStream({ engine, prepared, signal: c.req.raw.signal, watch, onOver })
      return c.body(stream, 200, NDJSON_HEADERS)
    } catch (error) {
      const { code } = ApiError.from(error)
      // What names no model of ours must not become a label.
      if (watch === undefined) metrics.refused('none', code)
      note(code, watch?.refused(code) ?? { outcome: 'refused', code })
      throw error
    }
  })
}

/** A client that left is no failure, and neither is a client's own fault. */
function levelOf(code: ErrorCode | undefined) {
  if (code === undefined || code === 'aborted') return 'info'
  return ERRORS[code].status >= 500 ? 'error' : 'warn'
}
