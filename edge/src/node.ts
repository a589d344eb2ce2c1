import { readFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import { parseWith } from '@setblock/shared'
import { Agent, fetch as undiciFetch } from 'undici'
import { createApp } from './app.ts'
import { createFileKeyStore, keyFileSchema } from './auth/key-store.ts'
import type { KeyStore } from './auth/key-store.ts'
import { readNodeConfig } from './config.ts'
import type { LogRecord } from './deps.ts'
import { edgeLimits } from './limits.ts'
import type { EdgeLimits } from './limits.ts'
import { createModelSource } from './models/model-source.ts'
import { platformRandom } from './random.ts'
import { createWorkerClient } from './workers/worker-client.ts'
import type { WorkerFetch } from './workers/worker-fetch.ts'

const BUNDLED_MODEL = path.join(import.meta.dirname, '../../models/setblock-nano')

export interface NodeEdge {
  readonly url: string
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
  const folder = config.modelFolder ?? BUNDLED_MODEL
  const models = createModelSource({
    folders: () => Promise.resolve([folder]),
    read: async (folder, file) => new Uint8Array(await readFile(path.join(folder, file))),
  })
  // Loaded now, so that a folder without a model stops the start and not the first request.
  for (const { id } of await models.list()) await models.find(id)

  const app = createApp({
    models,
    keys: await readKeys(config.keysFile),
    workers: createWorkerClient({
      ...config.workers,
      fetch: createFetch(),
      clock: Date.now,
      limits,
    }),
    clock: Date.now,
    random: platformRandom,
    log,
    limits,
  })
  const running = new Set<Promise<unknown>>()
  const context = {
    waitUntil(work: Promise<unknown>) {
      running.add(work)
      void work.finally(() => running.delete(work)).catch(() => undefined)
    },
    passThroughOnException: () => undefined,
    props: {},
  }
  const server = createAdaptorServer({
    fetch: (request) => app.fetch(request, {}, context),
    overrideGlobalObjects: false,
  }) as Server
  const url = await listen(server, config)
  return {
    url,
    async close() {
      await closeServer(server, limits.drainMs)
      await Promise.allSettled(running)
    },
  }
}

async function readKeys(file: string): Promise<KeyStore> {
  try {
    return createFileKeyStore(parseWith(keyFileSchema, JSON.parse(await readFile(file, 'utf8'))))
  } catch (cause) {
    throw new Error(`SETBLOCK_KEYS_FILE: cannot read keys from ${file}`, { cause })
  }
}

/** `fetch` and `Agent` of the same undici: Node's own fetch does not take another one's agents. */
function createFetch(): WorkerFetch {
  // undici's time limits are off because ours are stricter and count the worker's heartbeats.
  const dispatcher = new Agent({ bodyTimeout: 0, headersTimeout: 0 })
  return (url, init) => undiciFetch(url, { ...init, dispatcher })
}

function listen(server: Server, { host, port }: { host: string; port: number }): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      const address = server.address() as AddressInfo
      const name = address.family === 'IPv6' ? `[${address.address}]` : address.address
      resolve(`http://${name}:${address.port}`)
    })
  })
}

async function closeServer(server: Server, drainMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), drainMs)
  await closed
  clearTimeout(timer)
}

async function main(): Promise<void> {
  const log = (record: LogRecord) => void process.stdout.write(`${JSON.stringify(record)}\n`)
  try {
    const edge = await startNodeEdge({ env: process.env, log })
    log({ event: 'ready', url: edge.url })
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
