import { ApiError, errorEnvelopeSchema, EventStreamError } from '@setblock/shared'
import type { ErrorCode } from '@setblock/shared'
import type { WorkerResponse } from './worker-fetch.ts'

/**
 * What a worker may tell a client through us. Anything else it refuses with (a job token, say) is
 * between the edge and the worker: a client that got a 401 would doubt its own key.
 */
const PUBLIC_CODES: ReadonlySet<ErrorCode> = new Set([
  'invalid_request',
  'unsupported_parameter',
  'context_length_exceeded',
  'model_not_found',
  'model_mismatch',
  'overloaded',
  'worker_unavailable',
  'worker_draining',
  'deadline_exceeded',
  'session_not_found',
  'session_exists',
  'session_busy',
  'session_conflict',
  'session_limit_exceeded',
  'session_corrupt',
  'session_unavailable',
])

/** Fields of a job, and what a client calls them. */
const CLIENT_FIELDS: Readonly<Record<string, string>> = {
  tokenIds: 'prompt',
  maxTokens: 'max_tokens',
  latencyBudgetMs: 'latency_budget_ms',
  entropies: 'reveals',
  grammar: 'response_format',
  'grammar.jsonSchema': 'response_format',
  'decoding.mode': 'mode',
  'decoding.gamma': 'gamma',
  'decoding.rule': 'rule',
  'decoding.blockLength': 'block_length',
  'sampling.temperature': 'temperature',
  'sampling.topP': 'top_p',
  'sampling.topK': 'top_k',
  'sampling.seed': 'seed',
}

/** A message that begins with the field it is about, in the client's words. */
function renamed(message: string, param: string, field: string): string {
  return message.startsWith(`${param}:`) ? field + message.slice(param.length) : message
}

/** Reads the refusal of a worker, of which at most `bytesMax` bytes count. */
export async function readRefusal(response: WorkerResponse, bytesMax: number): Promise<ApiError> {
  const parsed = errorEnvelopeSchema.safeParse(await readJson(response, bytesMax))
  const { status } = response
  if (!parsed.success) {
    // 408 is a server's own word that the request did not arrive in time, so nothing has begun.
    const code = status >= 500 || status === 408 ? 'worker_unavailable' : 'internal_error'
    return new ApiError(code, 'the model worker could not take the request', {
      cause: new Error(`a worker answered ${status} without an error envelope`),
    })
  }
  const { code, message, param } = parsed.data.error
  // Its clock or its secret is not ours: others may do, and it will when that is put right.
  if (code === 'invalid_job_token') return unavailable(new Error(message))
  if (!PUBLIC_CODES.has(code)) return ApiError.from(new Error(`a worker refused a job: ${code}`))
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  const field = param === null ? undefined : (CLIENT_FIELDS[param] ?? param)
  const text = field === undefined || param === null ? message : renamed(message, param, field)
  return new ApiError(code, text, {
    param: field,
    retryAfterSeconds: Number.isFinite(seconds) ? seconds : undefined,
  })
}

/** A failure between the edge and a worker, as the client is told of it. */
export function toWorkerError(cause: unknown): ApiError {
  if (cause instanceof ApiError) return cause
  if (cause instanceof EventStreamError && cause.fault !== 'truncated') {
    return new ApiError('internal_error', 'the model worker sent an invalid answer', { cause })
  }
  return unavailable(cause)
}

function unavailable(cause: unknown): ApiError {
  return new ApiError('worker_unavailable', 'the model worker cannot be reached', { cause })
}

/** JSON of at most `bytesMax` bytes; undefined where it is none. */
export async function readJson(response: WorkerResponse, bytesMax: number): Promise<unknown> {
  const utf8 = new TextDecoder()
  let text = ''
  const reader = response.body?.getReader()
  try {
    for (;;) {
      const next = await reader?.read()
      if (next === undefined || next.done) return JSON.parse(text)
      text += utf8.decode(next.value, { stream: true })
      if (text.length > bytesMax) return undefined
    }
  } catch {
    return undefined
  } finally {
    void reader?.cancel().catch(() => undefined)
  }
}
