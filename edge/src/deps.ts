import type { Tracer } from '@opentelemetry/api'
import type { Caller } from './auth/api-key.ts'
import type { BrowserTokens } from './auth/browser-token.ts'
import type { FailureGuard } from './auth/failure-guard.ts'
import type { KeyFinder, KeyStore } from './auth/key-store.ts'
import type { EdgeLimits } from './limits.ts'
import type { EdgeMetrics } from './metrics/edge-metrics.ts'
import type { Meter } from './metering/meter.ts'
import type { UsageStore } from './metering/usage-store.ts'
import type { ModelSource } from './models/model-source.ts'
import type { PageSource } from './page/page-source.ts'
import type { StreamHomes } from './streams/stream-homes.ts'
import type { Registration } from './workers/registration.ts'
import type { RequestTrace } from './tracing/request-trace.ts'
import type { WorkerClient } from './workers/worker-client.ts'

/** Milliseconds since 1970. */
export type Clock = () => number

/** One line of the log. Holds neither prompts nor outputs nor keys. */
export type LogRecord = Record<string, unknown>

/** Everything the app needs from its platform. */
export interface EdgeDeps {
  readonly models: ModelSource
  readonly page: PageSource
  readonly keys: KeyFinder
  readonly keyStore: KeyStore
  /** The operator's secret, which opens the admin routes. */
  readonly adminKey: string
  readonly tokens: BrowserTokens
  readonly guard: FailureGuard
  readonly meter: Meter
  readonly usage: UsageStore
  /** Days that usage records are kept. */
  readonly usageDays: number
  /** Where answers that can be read again live. */
  readonly homes: StreamHomes
  /** Origins whose pages may call the API. */
  readonly corsOrigins: readonly string[]
  readonly workers: WorkerClient
  /** Where workers announce themselves; undefined where they do not. */
  readonly registration: Registration | undefined
  readonly clock: Clock
  readonly random: {
    /** A new id, unguessable, of letters and digits. */
    id(): string
    /** A whole number from 0 to 2^32 - 1. */
    seed(): number
  }
  readonly log: (record: LogRecord) => void
  readonly metrics: EdgeMetrics
  readonly tracer: Tracer
  readonly limits: EdgeLimits
}

/** What hono carries along with one request. */
export interface EdgeBindings {
  Bindings: {
    /** Network address of the client, as the platform knows it. */
    address?: string | undefined
  }
  Variables: {
    /** Grows while the request is handled and is logged once, at its end. */
    record: LogRecord
    /** True once something else, a stream, has taken over logging the record. */
    recordTaken: boolean
    owner: Caller
    trace: RequestTrace
  }
}
