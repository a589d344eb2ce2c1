import { ApiError, parseWith, sessionCallSchema } from '@setblock/shared'
import type { Hono } from 'hono'
import type { ServedModels } from '../models/served-models.ts'
import { answerSessionCall } from '../sessions/session-calls.ts'
import type { WorkerSessions } from '../sessions/worker-sessions.ts'
import type { Log } from './log.ts'
import type { JobGate } from './job-gate.ts'
import { jobBodyLimit, readRequestId, readSigned } from './signed-request.ts'

export interface SessionRouteOptions {
  readonly models: ServedModels
  readonly sessions: WorkerSessions
  readonly log: Log
}

/** Calls about sessions; what is asked is in the body, so that the token signs it. */
export function addSessionRoute(
  app: Hono,
  gate: JobGate,
  { models, sessions, log }: SessionRouteOptions,
): void {
  const options = {
    sessions: sessions.service,
    jobs: sessions.jobs,
    cancel: (jobId: string) => models.cancel(jobId),
  }
  app.post('/v1/sessions', jobBodyLimit(), async (c) => {
    const startedMs = performance.now()
    let operation: string | null = null
    const note = (code: string | null): void =>
      log(code === null ? 'info' : 'warn', 'session', {
        requestId: readRequestId(c),
        operation,
        code,
        durationMs: performance.now() - startedMs,
      })
    try {
      const { tenant, value } = await readSigned(c, gate)
      const call = parseWith(sessionCallSchema, value)
      operation = call.operation
      const answer = await answerSessionCall(options, tenant, call)
      note(null)
      return c.json(answer)
    } catch (error) {
      note(ApiError.from(error).code)
      throw error
    }
  })
}
