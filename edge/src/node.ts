import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { Resolver } from 'node:dns/promises'
import { readdir, readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { gzipSync } from 'node:zlib'
import { createAdaptorServer } from '@hono/node-server'
import { refuseTwoHosts } from '@setblock/shared'
import { Agent, fetch as undiciFetch } from 'undici'
import { createApp } from './app.ts'
import { assembleDeps } from './assemble.ts'
import { readNodeConfig } from './config.ts'
import type { LogRecord } from './deps.ts'
import { toLogLine } from './http/log-line.ts'
import { edgeLimits } from './limits.ts'
import type { EdgeLimits } from './limits.ts'
import { forgetUsage } from './metering/forget-usage.ts'
import { createMemoryMeter } from './metering/memory-meter.ts'
import { monthOf } from './metering/meter.ts'
import type { PrometheusMetrics } from './metrics/prometheus.ts'
import { createModelSource, type ModelSource } from './models/model-source.ts'
import { closeServer, IdleConnections, openDoors } from './node-listen.ts'
import { PAGE_FOLDER } from './page/page-source.ts'
import type { PageFile, PageSource } from './page/page-source.ts'
import { repeat } from './repeat.ts'
import { createSqliteDatabase, migrateSqlite } from './storage/database.ts'
import { StreamHub } from './streams/stream-hub.ts'
import { createDnsDirectory } from './workers/dns-directory.ts'
import { startTracing } from './tracing/otlp.ts'
import type { WorkerFetch } from './workers/worker-fetch.ts'
import { createMemoryRegistry } from './workers/worker-registry.ts'

const MIGRATIONS = path.join(import.meta.dirname, '../migrations')
const BUNDLED_MODEL = path.join(import.meta.dirname, '../../models/setblock-nano')
/** For whoever holds the database while this process starts, such as the one before it. */
const DATABASE_LOCK_MS = 5_000
const BUILT_PAGE = path.join(import.meta.dirname, '../assets', PAGE_FOLDER)

export interface NodeEdge {
  readonly url: string
  /** Where Prometheus may ask, if a port for it was given. */
  readonly metricsUrl: string | undefined
  /** Takes no more connections, lets running answers end for at most `drainMs`, then cuts them. */
  close(): Promise<void>
}

export interface NodeEdgeOptions {
  env: Readonly<Record<string, string | undefined>>
  log: (record: LogRecord) => void
  limits?: EdgeLimits
}

/** The edge as a server of its own. Throws an error that names the variable or file at fault. */
export async function startNodeEdge(options: NodeEdgeOptions): Promise<NodeEdge> {
  const { env, log, limits = edgeLimits } = options
  const config = readNodeConfig(env)
  const { modelFolders = [BUNDLED_MODEL] } = config
  const models = createModelSource({
    folders: () => Promise.resolve(modelFolders),
    read: async (folder, file) => new Uint8Array(await readFile(path.join(folder, file))),
  })
  await loadAll(models)

  const metrics = config.metrics && (await loadMetrics())
  const tracing = await startTracing(env, 'setblock-edge', (reason) =>
    log({ event: 'spans-not-sent', reason }),
  )
  const database = openDatabase(config.databaseFile)
  const hub = new StreamHub({ clock: Date.now, limits })
  const deps = assembleDeps({
    models,
    page: await readPage(config.pageFolder),
    homes: { kind: 'here', hub, placeHeader: undefined },
    config: config.edge,
    database: createSqliteDatabase(database),
    fetch: createFetch(),
    createRegistry: () => createMemoryRegistry({ clock: Date.now, limits }),
    createDnsDirectory: (name) =>
      createDnsDirectory(name, {
        resolver: new Resolver({ timeout: limits.dnsAnswerMs, tries: 2 }),
        refreshMs: limits.workerListMs,
        clock: Date.now,
        onFailure: (error) =>
          log({ event: 'dns-failed', host: name.host, reason: (error as Error).message }),
      }),
    createMeter: (usage) =>
      createMemoryMeter({
        clock: Date.now,
        monthTokens: (keyId, now) => usage.tokensSince(keyId, Date.parse(`${monthOf(now)}-01`)),
        metersMax: limits.metersMax,
      }),
    log,
    limits,
    ...(metrics && { metrics }),
    ...(tracing && { tracer: tracing.tracer }),
  })
  const app = createApp(deps)
  const { context, settled } = createContext()
  const server = createAdaptorServer({
    fetch: (request, { incoming }: { incoming: Incoming }) =>
      refuseTwoHosts(incoming.rawHeaders) ??
      app.fetch(request, { address: addressOf(incoming, config.addressHeader) }, context),
    overrideGlobalObjects: false,
    serverOptions: requestBounds(limits),
  }) as Server
  const idle = new IdleConnections(server)
  const scraped = metrics && createMetricsServer(metrics)
  const { listening, scraping } = await openDoors(server, scraped, config)
  const forgetting = repeat(limits.usageForgetMs, (signal) => forgetUsage(deps, signal))
  return {
    url: listening.url,
    metricsUrl: scraping && `${scraping.url}/metrics`,
    async close() {
      await closeServer(server, listening, { idle, drainMs: limits.drainMs })
      scraped?.closeAllConnections()
      await scraping?.close()
      hub.close()
      await settled()
      await forgetting.stop()
      await tracing?.stop()
      if (database.isOpen) database.close()
    },
  }
}

/** Loads every model now, so that a folder without one stops the start and not the first request. */
async function loadAll(models: ModelSource): Promise<void> {
  try {
    for (const { id } of await models.list()) await models.find(id)
  } catch (cause) {
    throw new Error(`SETBLOCK_MODEL: ${(cause as Error).message}`, { cause })
  }
}

/** What a platform gives an app to keep work alive behind its answers. */
function createContext() {
  const running = new Set<Promise<unknown>>()
  const context = {
    waitUntil(work: Promise<unknown>) {
      running.add(work)
      void work.finally(() => running.delete(work)).catch(() => undefined)
    },
    passThroughOnException: () => undefined,
    props: {},
  }
  return { context, settled: () => Promise.allSettled(running) }
}

/** Loaded only where it is asked for: Workers never see this, and a start without a port pays nothing. */
async function loadMetrics(): Promise<PrometheusMetrics> {
  const { createPrometheusMetrics } = await import('./metrics/prometheus.ts')
  const packageFile = path.join(import.meta.dirname, '../package.json')
  const { version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }
  return createPrometheusMetrics({ version, node: process.version })
}

/** A server of its own, so that the port that the public reaches has no such route. */
function createMetricsServer(metrics: PrometheusMetrics): Server {
  return createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end()
      return
    }
    metrics.text().then(
      (text) => response.writeHead(200, { 'content-type': metrics.contentType }).end(text),
      () => response.writeHead(500).end(),
    )
  })
}

/** Opens the file with keys and usage, makes it if there is none, and brings it up to date. */
function openDatabase(file: string): DatabaseSync {
  try {
    if (file !== ':memory:') mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
    const database = new DatabaseSync(file, { timeout: DATABASE_LOCK_MS })
    // Readers and the writer do not wait for each other; a lost power supply may cost last usage.
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
    const names = readdirSync(MIGRATIONS).filter((name) => name.endsWith('.sql'))
    const migrations = names.sort().map((name) => readFileSync(path.join(MIGRATIONS, name), 'utf8'))
    migrateSqlite(database, migrations)
    // From here on waiting is createSqliteDatabase's, which holds up nobody else.
    database.exec('PRAGMA busy_timeout = 0')
    return database
  } catch (cause) {
    const reason = (cause as Error).message
    throw new Error(`SETBLOCK_DATABASE: cannot open ${file}: ${reason}`, { cause })
  }
}

/** Of HTTP/1 or HTTP/2. */
type Incoming = Pick<IncomingMessage, 'headers' | 'rawHeaders' | 'socket'>

/** The client's address: the connection's, or what a trusted proxy in front says. */
function addressOf(incoming: Incoming, header: string | undefined): string | undefined {
  const named = header === undefined ? undefined : incoming.headers[header.toLowerCase()]
  // A proxy appends what it saw itself, so only the last entry of a list is its word.
  const last = (Array.isArray(named) ? named.join(',') : named)?.split(',').at(-1)?.trim()
  return last ?? incoming.socket.remoteAddress
}

/**
 * The built page, read and compressed once: it is small. The folder by default may be missing, one
 * that was asked for may not.
 */
async function readPage(folder: string | undefined): Promise<PageSource> {
  const root = folder ?? BUILT_PAGE
  const files = new Map<string, PageFile>()
  try {
    for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const file = path.join(entry.parentPath, entry.name)
      const body = new Uint8Array(await readFile(file))
      const gzip = new Uint8Array(gzipSync(body))
      files.set(path.relative(root, file).replaceAll(path.sep, '/'), { body, gzip })
    }
  } catch (cause) {
    if (folder !== undefined) {
      throw new Error(`SETBLOCK_PLAYGROUND: cannot read a page from ${folder}`, { cause })
    }
  }
  return { read: (file) => Promise.resolve(files.get(file)) }
}

/** `fetch` and `Agent` of the same undici: Node's own fetch does not take another one's agents. */
function createFetch(): WorkerFetch {
  // undici's time limits are off because ours are stricter and count the worker's heartbeats.
  const dispatcher = new Agent({ bodyTimeout: 0, headersTimeout: 0 })
  return (url, init) => undiciFetch(url, { ...init, dispatcher })
}

/** Who sends a request too slowly, or with too long headers, is cut off. */
function requestBounds(limits: EdgeLimits) {
  return {
    headersTimeout: limits.requestHeadersMs,
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: limits.requestHeadersMs / 2,
    maxHeaderSize: limits.requestHeadersBytesMax,
  }
}

async function main(): Promise<void> {
  // A log that cannot be written, to a full disk or a reader that is gone, must not end the service.
  process.stdout.on('error', () => undefined)
  const log = (record: LogRecord) => void process.stdout.write(`${toLogLine(record, new Date())}\n`)
  try {
    const edge = await startNodeEdge({ env: process.env, log })
    log({ event: 'ready', url: edge.url, metricsUrl: edge.metricsUrl })
    const stop = () => {
      log({ event: 'draining' })
      void edge.close().then(() => process.exit(0))
    }
    process.once('SIGTERM', stop)
    process.once('SIGINT', stop)
  } catch (error) {
    process.stderr.write(`edge: ${(error as Error).message}\n`)
    process.exitCode = 1
  }
}

if (import.meta.main) await main()
