import type { SessionAnswer, SessionCall, SessionFacts } from '@setblock/shared'
import type { SessionJobs } from './session-jobs.ts'
import type { SessionService } from './session-service.ts'
import type { SessionState } from './session-states.ts'

export interface SessionCallOptions {
  readonly sessions: SessionService
  readonly jobs: SessionJobs
  /** Ends a job before its next forward. */
  readonly cancel: (jobId: string) => void
}

/** One call about sessions of a tenant. @throws ApiError of the session. */
export async function answerSessionCall(
  { sessions, jobs, cancel }: SessionCallOptions,
  tenant: string,
  call: SessionCall,
): Promise<SessionAnswer> {
  switch (call.operation) {
    case 'create':
      return one(await sessions.create(tenant, { id: call.id, ttlMs: call.ttlMs }))
    case 'get':
      return one(await sessions.get(tenant, call.id))
    case 'list': {
      const page = await sessions.list(tenant, { after: call.after, count: call.count })
      const next = page.next === undefined ? {} : { next: page.next }
      return { sessions: page.sessions.map(toFacts), ...next }
    }
    case 'delete':
      await sessions.remove(tenant, call.id, call.ifVersion)
      return { sessions: [] }
    case 'fork':
      return one(await sessions.fork(tenant, call.id, { id: call.newId, ttlMs: call.ttlMs }))
    case 'end-turn':
      return one(await jobs.endTurn(tenant, call, cancel))
  }
}

const one = (state: SessionState): SessionAnswer => ({ sessions: [toFacts(state)] })

function toFacts(state: SessionState): SessionFacts {
  const { id, version, tokenIds, createdMs, updatedMs, ttlMs } = state
  return {
    id,
    version,
    tokens: tokenIds.length,
    createdMs,
    updatedMs,
    expiresMs: updatedMs + ttlMs,
  }
}
