import * as z from 'zod'
import { limits } from './limits.ts'

/** The `type` of the error envelope; the names are those OpenAI clients know. */
export type ErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'permission_error'
  | 'not_found_error'
  | 'conflict_error'
  | 'rate_limit_error'
  | 'insufficient_quota'
  | 'overloaded'
  | 'request_aborted'
  | 'server_error'

interface ErrorRow {
  /** HTTP status when the error comes before the first byte of the answer. */
  readonly status: number
  readonly type: ErrorType
  /** Whether the same request may succeed later, unchanged. */
  readonly retryable: boolean
}

const row = (status: number, type: ErrorType, retryable = false): ErrorRow =>
  Object.freeze({ status, type, retryable })

/** The one table of error codes. Status, type, retryability and metric labels all come from it. */
export const ERRORS = Object.freeze({
  invalid_request: row(400, 'invalid_request_error'),
  invalid_json: row(400, 'invalid_request_error'),
  unsupported_parameter: row(400, 'invalid_request_error'),
  context_length_exceeded: row(400, 'invalid_request_error'),
  missing_api_key: row(401, 'authentication_error'),
  invalid_api_key: row(401, 'authentication_error'),
  token_expired: row(401, 'authentication_error'),
  invalid_job_token: row(401, 'authentication_error'),
  insufficient_scope: row(403, 'permission_error'),
  origin_not_allowed: row(403, 'permission_error'),
  model_not_found: row(404, 'not_found_error'),
  not_found: row(404, 'not_found_error'),
  stream_not_found: row(404, 'not_found_error'),
  method_not_allowed: row(405, 'invalid_request_error'),
  session_not_found: row(404, 'not_found_error'),
  session_exists: row(409, 'conflict_error'),
  session_busy: row(409, 'conflict_error'),
  session_conflict: row(409, 'conflict_error'),
  session_limit_exceeded: row(403, 'invalid_request_error'),
  session_unavailable: row(503, 'overloaded', true),
  session_corrupt: row(410, 'not_found_error'),
  reader_too_slow: row(408, 'request_aborted'),
  events_expired: row(410, 'invalid_request_error'),
  request_too_large: row(413, 'invalid_request_error'),
  unsupported_media_type: row(415, 'invalid_request_error'),
  idempotency_key_reused: row(422, 'invalid_request_error'),
  overloaded: row(429, 'rate_limit_error', true),
  rate_limit_exceeded: row(429, 'rate_limit_error', true),
  too_many_failed_attempts: row(429, 'rate_limit_error', true),
  // The same request cannot succeed before the month is over, so clients shall not retry it.
  insufficient_quota: row(429, 'insufficient_quota'),
  aborted: row(499, 'request_aborted'),
  internal_error: row(500, 'server_error', true),
  worker_unavailable: row(503, 'overloaded', true),
  worker_draining: row(503, 'overloaded', true),
  // The edge and the worker have different files of one model: as a rule one is about to be updated.
  model_mismatch: row(503, 'overloaded', true),
  deadline_exceeded: row(504, 'server_error', true),
})

export type ErrorCode = keyof typeof ERRORS

export const errorCodeSchema = z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]])

/** The body of every error answer. */
export interface ErrorEnvelope {
  error: { message: string; type: ErrorType; param: string | null; code: ErrorCode }
}

/** Reads an envelope written by another part of the system. */
export const errorEnvelopeSchema = z.object({
  error: z.object({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: errorCodeSchema,
  }),
})

export interface ApiErrorOptions {
  /** Dotted path of the input field at fault, such as `sampling.topP`. */
  readonly param?: string | undefined
  readonly retryAfterSeconds?: number | undefined
  /** For the log only: never part of the answer. */
  readonly cause?: unknown
}

/** A failure a caller can be told about. The message is public: put secrets in `cause` or nowhere. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: ErrorCode
  readonly param: string | undefined
  /** Whole seconds, at least one; set for every `overloaded` error: clients are always told when to return. */
  readonly retryAfterSeconds: number | undefined

  constructor(code: ErrorCode, message: string, options: ApiErrorOptions = {}) {
    super(message.slice(0, limits.errorMessageCharactersMax), { cause: options.cause })
    this.code = code
    this.param = options.param?.slice(0, limits.errorParamCharactersMax)
    const retryAfter =
      options.retryAfterSeconds ?? (code === 'overloaded' ? limits.retryAfterSeconds : undefined)
    this.retryAfterSeconds =
      retryAfter === undefined ? undefined : Math.max(1, Math.ceil(retryAfter))
  }

  /** An ApiError as it is; anything else as an internal error that tells the client nothing. */
  static from(error: unknown): ApiError {
    if (error instanceof ApiError) return error
    return new ApiError('internal_error', 'something went wrong on our side', { cause: error })
  }

  get status(): number {
    return ERRORS[this.code].status
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable
  }

  toEnvelope(): ErrorEnvelope {
    const { type } = ERRORS[this.code]
    return { error: { message: this.message, type, param: this.param ?? null, code: this.code } }
  }
}
