import type { ErrorEnvelope } from './wire.ts'

/** Codes of the API after which the same request may succeed later, where no answer's header says so. */
export const RETRYABLE_CODES: ReadonlySet<string> = new Set([
  'overloaded',
  'internal_error',
  'worker_unavailable',
  'worker_draining',
  'model_mismatch',
  'rate_limit_exceeded',
  'too_many_failed_attempts',
  'deadline_exceeded',
  'session_unavailable',
])

/** What can go wrong on this side; every other code is the API's own. */
export type ClientErrorCode =
  /** No answer came: no network, no server, or the browser forbade it. */
  | 'connection_failed'
  /** The answer broke off, or nothing came for too long, and it could not be resumed. */
  | 'connection_lost'
  /** What came is not of this API. */
  | 'invalid_answer'
  /** The caller ended it. */
  | 'aborted'

export interface SetblockErrorInit {
  /** Of the request's field at fault. */
  param?: string | undefined
  /** HTTP status; absent where there was no answer, and for an error inside a stream. */
  status?: number | undefined
  retryable?: boolean
  retryAfterMs?: number | undefined
  requestId?: string | undefined
  cause?: unknown
}

/** Whatever goes wrong, as one type. `code` says what; `retryable` whether the same may succeed later. */
export class SetblockError extends Error {
  override readonly name = 'SetblockError'
  readonly code: string
  readonly param: string | undefined
  readonly status: number | undefined
  readonly retryable: boolean
  readonly retryAfterMs: number | undefined
  readonly requestId: string | undefined

  constructor(code: string, message: string, init: SetblockErrorInit = {}) {
    super(message, { cause: init.cause })
    this.code = code
    this.param = init.param
    this.status = init.status
    this.retryable = init.retryable ?? RETRYABLE_CODES.has(code)
    this.retryAfterMs = init.retryAfterMs
    this.requestId = init.requestId
  }
}

export function clientError(
  code: ClientErrorCode,
  message: string,
  init: SetblockErrorInit = {},
): SetblockError {
  return new SetblockError(code, message, init)
}

/** The error that an envelope inside a stream tells of. */
export function errorFromEnvelope(
  envelope: ErrorEnvelope,
  init: SetblockErrorInit = {},
): SetblockError {
  const { code, message, param } = envelope.error
  return new SetblockError(code ?? 'internal_error', message, {
    ...init,
    param: param ?? undefined,
  })
}

/** The error that an answer with a status of 400 or more stands for. Reads its body. */
export async function errorFromResponse(response: Response): Promise<SetblockError> {
  const { status, headers } = response
  const init: SetblockErrorInit = {
    status,
    retryable: isRetryable(response),
    retryAfterMs: readRetryAfter(headers),
    requestId: headers.get('x-request-id') ?? undefined,
  }
  const envelope = parseEnvelope(await response.text().catch(() => ''))
  if (envelope !== undefined) return errorFromEnvelope(envelope, init)
  // A proxy in between, most likely: its page is no message for a person.
  return clientError('invalid_answer', `the server answered with status ${status}`, init)
}

export function isEnvelope(value: unknown): value is ErrorEnvelope {
  const error = (value as Partial<ErrorEnvelope> | null)?.error
  return typeof error === 'object' && error !== null && typeof error.message === 'string'
}

function parseEnvelope(text: string): ErrorEnvelope | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isEnvelope(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isRetryable({ status, headers }: Response): boolean {
  const told = headers.get('x-should-retry')
  if (told !== null) return told === 'true'
  return status === 408 || status === 429 || status >= 500
}

/** Seconds, or the date to wait for (RFC 9110, section 10.2.3). */
function readRetryAfter(headers: Headers): number | undefined {
  const text = headers.get('retry-after')
  if (text === null) return undefined
  const seconds = Number(text)
  const waitMs = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(text) - Date.now()
  return Number.isFinite(waitMs) ? Math.max(0, waitMs) : undefined
}
