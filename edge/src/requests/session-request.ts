import { ApiError, sessionIdSchema, type OnDisconnect } from '@setblock/shared'
import { refuseField } from './fields.ts'

/** How a request continues a session. */
export interface SessionRequest {
  id: string
  /** Whether the prompt is only the new turn. */
  append: boolean
  onDisconnect: OnDisconnect
  ifVersion: number | undefined
}

interface SessionBody {
  session?: string | undefined
  append?: boolean | undefined
  on_disconnect?: OnDisconnect | undefined
}

/** The session of a body; its version comes with a header, see `withSessionHeaders`. */
export function readSession(body: SessionBody): SessionRequest | undefined {
  const { session: id, append, on_disconnect: onDisconnect } = body
  if (id === undefined) {
    if (append === true) throw refuseField('append', 'needs a session')
    if (onDisconnect !== undefined) throw refuseField('on_disconnect', 'needs a session')
    return undefined
  }
  return {
    id,
    append: append ?? false,
    onDisconnect: onDisconnect ?? 'rollback',
    ifVersion: undefined,
  }
}

/** Adds what headers say: the id where the body has none, and the version that is expected. */
export function withSessionHeaders(
  session: SessionRequest | undefined,
  header: (name: string) => string | undefined,
): SessionRequest | undefined {
  const named = session ?? fromAffinity(header('x-session-affinity'))
  const ifVersion = readIfMatch(header('if-match'))
  if (named === undefined) {
    if (ifVersion !== undefined) throw refuseField('if-match', 'needs a session')
    return undefined
  }
  return { ...named, ifVersion }
}

/** A version as HTTP writes it: `"3"`. */
export function readIfMatch(value: string | undefined): number | undefined {
  if (value === undefined || value.trim() === '*') return undefined
  const version = /^\s*"?([1-9]\d{0,14})"?\s*$/.exec(value)?.[1]
  if (version === undefined) {
    throw new ApiError('invalid_request', 'if-match: must be a version such as "3"', {
      param: 'if-match',
    })
  }
  return Number(version)
}

function fromAffinity(value: string | undefined): SessionRequest | undefined {
  if (value === undefined) return undefined
  const id = sessionIdSchema.safeParse(value)
  if (!id.success) throw refuseField('x-session-affinity', 'is no session id')
  return readSession({ session: id.data })
}
