import { describeRefusal, UNREACHABLE } from '../state/failure.ts'
import type { Failure } from '../state/failure.ts'
import type { ErrorFacts } from '../state/events.ts'

/** A request that got no answer, or one that refuses it. */
export class RequestFailed extends Error {
  readonly failure: Failure
  constructor(failure: Failure, options?: ErrorOptions) {
    super(failure.title, options)
    this.failure = failure
  }
}

/**
 * `fetch`, with everything but a success as an error for people.
 *
 * @throws RequestFailed; the signal's reason when it aborts.
 */
export async function request(path: string, init: RequestInit): Promise<Response> {
  let response: Response
  try {
    response = await fetch(path, init)
  } catch (cause) {
    init.signal?.throwIfAborted()
    throw new RequestFailed(UNREACHABLE, { cause })
  }
  if (response.ok) return response
  const retryAfter = Number(response.headers.get('retry-after') ?? NaN)
  throw new RequestFailed(
    describeRefusal({
      status: response.status,
      error: await readError(response),
      retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
    }),
  )
}

async function readError(response: Response): Promise<ErrorFacts | undefined> {
  try {
    return ((await response.json()) as { error?: ErrorFacts }).error
  } catch {
    // Something in between answered, and not in our words.
    return undefined
  }
}
