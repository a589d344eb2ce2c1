/**
 * Waits for `promise` or for the signal, whichever comes first; rejects with the signal's reason.
 * The listener goes when either settles, so a long stream may do this for every chunk.
 */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(asError(signal.reason))
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    const detach = () => signal.removeEventListener('abort', abort)
    promise.then(
      (value) => {
        detach()
        resolve(value)
      },
      (error: unknown) => {
        detach()
        reject(asError(error))
      },
    )
  })
}

/** Aborts `controller` when `signal` aborts, also when that lies in the past. */
export function follow(
  signal: AbortSignal,
  controller: AbortController,
  reason: () => unknown = () => signal.reason,
): void {
  const abort = () => controller.abort(reason())
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
}

/**
 * The reason to end what is over anyway. One for all: without a reason each `abort` makes an exception of its own, with
 * a stack that nobody reads.
 */
export const OVER = new Error('it is over')

export function asError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value))
}
