import { ApiError } from '@setblock/shared'
import * as z from 'zod'
import { createApp } from './app.ts'
import { assembleDeps } from './assemble.ts'
import { readEdgeConfig } from './config.ts'
import type { EdgeDeps, LogRecord } from './deps.ts'
import { toLogLine } from './http/log-line.ts'
import { edgeLimits } from './limits.ts'
import { forgetUsage } from './metering/forget-usage.ts'
import { createObjectMeter } from './metering/meter-object.ts'
import { createModelSource } from './models/model-source.ts'
import type { ModelSource } from './models/model-source.ts'
import { PAGE_FOLDER } from './page/page-source.ts'
import type { PageSource } from './page/page-source.ts'
import { createD1Database } from './storage/database.ts'
import type { D1Binding } from './storage/database.ts'
import type { ObjectNamespace, ObjectState } from './storage/durable-object.ts'
import { createStoredHub } from './streams/stored-hub.ts'
import { createObjectHomes, PLACE_HEADER } from './streams/stream-homes.ts'
import type { StreamHomes } from './streams/stream-homes.ts'
import { cacheDirectory } from './workers/directory.ts'
import { createObjectRegistry } from './workers/registry-object.ts'
import type { WorkerFetch } from './workers/worker-fetch.ts'
import type { WorkerRegistry } from './workers/worker-registry.ts'

export { MeterObject } from './metering/meter-object.ts'
export { RegistryObject } from './workers/registry-object.ts'

/** The bindings and variables of wrangler.toml. */
export interface WorkerEnv {
  ASSETS: { fetch(url: string): Promise<Response> }
  DB: D1Binding
  METERS: ObjectNamespace
  STREAMS: ObjectNamespace
  REGISTRY: ObjectNamespace
  /** A private network in which the workers are, reached through a tunnel. */
  WORKER_NETWORK?: { fetch: WorkerFetch }
  GPU_WORKERS: string
  SETBLOCK_JOB_SECRET: string
  SETBLOCK_ADMIN_KEY: string
  SETBLOCK_WORKER_HOSTS?: string
  SETBLOCK_JOB_SECRET_PREVIOUS?: string
  SETBLOCK_CORS_ORIGINS?: string
  SETBLOCK_USAGE_DAYS?: string | number
}

interface ExecutionContext {
  waitUntil(work: Promise<unknown>): void
  passThroughOnException(): void
  props: unknown
}

const indexSchema = z.object({ models: z.array(z.string()) })

/** Asks the assets binding for a path. The host is a placeholder: only the path counts. */
function fetchAsset(assets: WorkerEnv['ASSETS'], path: string): Promise<Response> {
  return assets.fetch(`https://assets.invalid/${path}`)
}

/** Cloudflare's network compresses what it serves, so the files are given as they are. */
function createAssetPage(assets: WorkerEnv['ASSETS']): PageSource {
  return {
    async read(file) {
      const response = await fetchAsset(assets, `${PAGE_FOLDER}/${file}`)
      if (response.status === 404) return undefined
      if (!response.ok) throw new Error(`asset ${file}: status ${response.status}`)
      return { body: new Uint8Array(await response.arrayBuffer()) }
    },
  }
}

function createAssetModels(assets: WorkerEnv['ASSETS']): ModelSource {
  async function read(path: string): Promise<Uint8Array<ArrayBuffer>> {
    const response = await fetchAsset(assets, path)
    if (!response.ok) throw new Error(`asset ${path}: status ${response.status}`)
    return new Uint8Array(await response.arrayBuffer())
  }
  return createModelSource({
    folders: async () => {
      const index: unknown = JSON.parse(new TextDecoder().decode(await read('index.json')))
      return indexSchema.parse(index).models
    },
    read: (folder, file) => read(`${folder}/${file}`),
  })
}

/** One object knows the workers; each isolate asks it now and then, and not for each request. */
function createCachedRegistry(namespace: ObjectNamespace): WorkerRegistry {
  const registry = createObjectRegistry(namespace)
  const cached = cacheDirectory(registry, { cacheMs: edgeLimits.workerListMs, clock: Date.now })
  return {
    announce: (announcement) => registry.announce(announcement),
    list: () => cached.list(),
  }
}

/** Over the internet, or through the tunnel that is bound. */
function createWorkerFetch(network: WorkerEnv['WORKER_NETWORK']): WorkerFetch {
  if (network === undefined) return (url, init) => fetch(url, init)
  return (url, init) => network.fetch(url, init)
}

function log(record: LogRecord): void {
  // oxlint-disable-next-line no-console -- the only log a Worker has
  console.log(toLogLine(record, new Date()))
}

/** Before the variables are right no request is served: the log says which is wrong, a client learns nothing of it. */
function answerUnset(cause: unknown): Response {
  const error = new ApiError('internal_error', 'this service is not set up yet')
  log({ event: 'not-set-up', error: error.code, reason: (cause as Error).message })
  const headers = { 'x-should-retry': String(error.retryable) }
  return Response.json(error.toEnvelope(), { status: error.status, headers })
}

function assembleWorkerDeps(env: WorkerEnv): EdgeDeps {
  return assembleDeps({
    models: createAssetModels(env.ASSETS),
    page: createAssetPage(env.ASSETS),
    config: readEdgeConfig(env),
    database: createD1Database(env.DB),
    homes: createObjectHomes(env.STREAMS),
    fetch: createWorkerFetch(env.WORKER_NETWORK),
    createMeter: () => createObjectMeter(env.METERS),
    createRegistry: () => createCachedRegistry(env.REGISTRY),
    createDnsDirectory: ({ host }) => {
      throw new Error(`GPU_WORKERS: ${host} cannot be looked up on Workers: use a registry`)
    },
    log,
    limits: edgeLimits,
  })
}

// One for an isolate, so that tokenizers and keys stay loaded between requests, in the objects too.
// Bindings are the same for all of an isolate.
let deps: EdgeDeps | undefined
let app: ReturnType<typeof createApp> | undefined

const addressOf = (request: Request): string | undefined =>
  request.headers.get('cf-connecting-ip') ?? undefined

export default {
  fetch(request: Request, env: WorkerEnv, context: ExecutionContext): Response | Promise<Response> {
    try {
      deps ??= assembleWorkerDeps(env)
    } catch (error) {
      return answerUnset(error)
    }
    app ??= createApp(deps)
    return app.fetch(request, { address: addressOf(request) }, context)
  },
  /** By the cron trigger of wrangler.toml. */
  scheduled(_event: unknown, env: WorkerEnv): Promise<void> {
    deps ??= assembleWorkerDeps(env)
    return forgetUsage(deps)
  },
}

/** The Durable Object in which one repeatable answer is generated and kept: the same app again. */
export class StreamObject {
  readonly #state: ObjectState
  readonly #app: ReturnType<typeof createApp>

  constructor(state: ObjectState, env: WorkerEnv) {
    this.#state = state
    deps ??= assembleWorkerDeps(env)
    const hub = createStoredHub(state, deps)
    const homes: StreamHomes = { kind: 'here', hub, placeHeader: PLACE_HEADER }
    this.#app = createApp({ ...deps, homes })
  }

  fetch(request: Request): Response | Promise<Response> {
    return this.#app.fetch(
      request,
      { address: addressOf(request) },
      {
        waitUntil: (work) => this.#state.waitUntil(work),
        passThroughOnException: () => undefined,
        props: {},
      },
    )
  }

  /** The kept answer's time is over. */
  alarm(): Promise<void> {
    return this.#state.storage.deleteAll()
  }
}
