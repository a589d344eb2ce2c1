import { trace } from '@opentelemetry/api'
import type { Tracer } from '@opentelemetry/api'
import { createBrowserTokens } from './auth/browser-token.ts'
import { createFailureGuard } from './auth/failure-guard.ts'
import { createKeyFinder, createKeyStore } from './auth/key-store.ts'
import type { EdgeConfig } from './config.ts'
import type { Clock, EdgeDeps } from './deps.ts'
import type { Meter } from './metering/meter.ts'
import { noMetrics } from './metrics/edge-metrics.ts'
import type { EdgeMetrics } from './metrics/edge-metrics.ts'
import { createUsageStore } from './metering/usage-store.ts'
import type { UsageStore } from './metering/usage-store.ts'
import { platformRandom } from './random.ts'
import type { Database } from './storage/database.ts'
import type { WorkerDirectory } from './workers/directory.ts'
import { createStaticDirectory, joinDirectories } from './workers/directory.ts'
import { createRegistration } from './workers/registration.ts'
import { createWorkerClient } from './workers/worker-client.ts'
import type { WorkerFetch } from './workers/worker-fetch.ts'
import type { WorkerRegistry } from './workers/worker-registry.ts'
import type { DnsName } from './workers/worker-sources.ts'

/** What the platforms differ in. */
export interface Platform extends Pick<EdgeDeps, 'models' | 'page' | 'homes' | 'log' | 'limits'> {
  readonly config: EdgeConfig
  readonly database: Database
  readonly fetch: WorkerFetch
  createMeter(this: void, usage: UsageStore): Meter
  /** Where workers announce themselves, should the configuration ask for a registry. */
  createRegistry(this: void): WorkerRegistry
  /** @throws Error where the platform cannot look up names. */
  createDnsDirectory(this: void, name: DnsName): WorkerDirectory
  /** The real one unless a test needs to turn it. */
  readonly clock?: Clock
  /** Writes spans; by default one that does nothing but carry a client's `traceparent` on. */
  readonly tracer?: Tracer
  /** None where the platform counts by itself. */
  readonly metrics?: EdgeMetrics
}

/** Everything the app needs, put together the same way on every platform. */
export function assembleDeps(platform: Platform): EdgeDeps {
  const { config, database, fetch, limits, models, page, homes, log } = platform
  const { clock = Date.now, metrics = noMetrics } = platform
  const { tracer = trace.getTracer('setblock') } = platform
  const keyStore = createKeyStore(database)
  const usage = createUsageStore(database)
  const { directory, registration } = assembleWorkers(platform)
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
    usageDays: config.usageDays,
    homes,
    corsOrigins: config.corsOrigins,
    workers: createWorkerClient({
      directory,
      secret: config.workers.secret,
      fetch,
      clock: Date.now,
      limits,
      metrics,
    }),
    registration,
    clock,
    random: platformRandom,
    log,
    metrics,
    tracer,
    limits,
  }
}

/** All sources of workers as one directory, and the door to the registry if that is one of them. */
function assembleWorkers(platform: Platform) {
  const { config, limits, createRegistry, createDnsDirectory } = platform
  const { sources, hosts, secret, previousSecret } = config.workers
  const directories: WorkerDirectory[] = []
  const urls = sources.flatMap((source) => (source.kind === 'static' ? [source.url] : []))
  if (urls.length > 0) directories.push(createStaticDirectory(urls))
  for (const source of sources) {
    if (source.kind === 'dns') directories.push(createDnsDirectory(source.name))
  }
  const registry = sources.some(({ kind }) => kind === 'registry') ? createRegistry() : undefined
  if (registry !== undefined) directories.push(registry)
  return {
    directory: joinDirectories(directories, limits),
    registration:
      registry &&
      createRegistration({
        registry,
        secrets: previousSecret === undefined ? [secret] : [secret, previousSecret],
        hosts,
        limits,
      }),
  }
}
