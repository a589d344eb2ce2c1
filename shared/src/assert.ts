/** A broken invariant: a bug of ours, never the caller's fault. It is not an ApiError on purpose. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/** Throws InvariantError unless the condition holds. For programmer errors only, not for input. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}

/** Closes an exhaustive switch: reaching it means a union member was added and not handled. */
export function assertNever(value: never, what: string): never {
  throw new InvariantError(`unhandled ${what}: ${JSON.stringify(value)}`)
}
