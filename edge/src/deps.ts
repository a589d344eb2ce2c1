import type { KeyOwner, KeyStore } from './auth/key-store.ts'
import type { EdgeLimits } from './limits.ts'
import type { ModelSource } from './models/model-source.ts'
import type { WorkerClient } from './workers/worker-client.ts'

/** Milliseconds since 1970. */
export type Clock = () => number

/** One line of the log. Holds neither prompts nor outputs nor keys. */
export type LogRecord = Record<string, unknown>

/** Everything the app needs from its platform. */
export interface EdgeDeps {
  readonly models: ModelSource
  readonly keys: KeyStore
  readonly workers: WorkerClient
  readonly clock: Clock
  readonly random: {
    /** A new id, unguessable, of letters and digits. */
    id(): string
    /** A whole number from 0 to 2^32 - 1. */
    seed(): number
  }
  readonly log: (record: LogRecord) => void
  readonly limits: EdgeLimits
}

/** What hono carries along with one request. */
export interface EdgeBindings {
  Variables: {
    /** Grows while the request is handled and is logged once, at its end. */
    record: LogRecord
    /** True once something else, a stream, has taken over logging the record. */
    recordTaken: boolean
    owner: KeyOwner
  }
}
