import { createBrowserTokens } from './auth/browser-token.ts'
import { createFailureGuard } from './auth/failure-guard.ts'
import { createKeyFinder, createKeyStore } from './auth/key-store.ts'
import type { EdgeConfig } from './config.ts'
import type { Clock, EdgeDeps } from './deps.ts'
import type { Meter } from './metering/meter.ts'
import { createUsageStore } from './metering/usage-store.ts'
import type { UsageStore } from './metering/usage-store.ts'
import { platformRandom } from './random.ts'
import type { Database } from './storage/database.ts'
import { createWorkerClient } from './workers/worker-client.ts'
import type { WorkerFetch } from './workers/worker-fetch.ts'

/** What the platforms differ in. */
export interface Platform extends Pick<EdgeDeps, 'models' | 'page' | 'homes' | 'log' | 'limits'> {
  readonly config: EdgeConfig
  readonly database: Database
  readonly fetch: WorkerFetch
  createMeter(this: void, usage: UsageStore): Meter
  /** The real one unless a test needs to turn it. */
  readonly clock?: Clock
}

/** Everything the app needs, put together the same way on every platform. */
export function assembleDeps(platform: Platform): EdgeDeps {
  const { config, database, fetch, limits, models, page, homes, log } = platform
  const { clock = Date.now } = platform
  const keyStore = createKeyStore(database)
  const usage = createUsageStore(database)
  return {
    models,
    page,
    keyStore,
    keys: createKeyFinder({ store: keyStore, clock, limits }),
    adminKey: config.adminKey,
    tokens: createBrowserTokens(config.adminKey),
    guard: createFailureGuard({ clock, limits }),
    meter: platform.createMeter(usage),
    usage,
    homes,
    corsOrigins: config.corsOrigins,
    workers: createWorkerClient({ ...config.workers, fetch, clock: Date.now, limits }),
    clock,
    random: platformRandom,
    log,
    limits,
  }
}
