/** Composition root of the GPU worker: configuration, models, engine threads, HTTP server; SIGTERM and SIGINT drain. */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve, type HttpBindings, type ServerType } from '@hono/node-server'
import { limits, refuseTwoHosts } from '@setblock/shared'
import { BUS_BYTES_PER_SECOND, busCost } from './engine/bus-cost.ts'
import { planModels } from './models/plan-models.ts'
import { ServedModels } from './models/served-models.ts'
import { startAnnouncing } from './server/announce.ts'
import { createApp } from './server/app.ts'
import { readCommandLine, USAGE } from './server/command-line.ts'
import { readConfig, type WorkerConfig } from './server/config.ts'
import { logToStdout } from './server/log.ts'
import { memoryUse } from './server/status.ts'
import { startTracing, type Tracing } from './tracing/otlp.ts'
import { openWorkerSessions, type WorkerSessions } from './sessions/worker-sessions.ts'

/** For the last bytes of the last answers, when a worker stops. */
const CLOSE_GRACE_MS = 1_000

interface Parts {
  readonly config: WorkerConfig
  readonly models: ServedModels
  readonly sessions: WorkerSessions
  readonly tracing: Tracing | undefined
}

async function main(): Promise<void> {
  const commandLine = readCommandLine(process.argv.slice(2))
  if (commandLine === 'help') {
    process.stdout.write(`${USAGE}\n`)
    return
  }
  // A log that cannot be written, to a full disk or a reader that is gone, must not end the service.
  process.stdout.on('error', () => undefined)
  const config = readConfig(process.env, commandLine)
  const tracing = await startTracing(process.env, 'setblock-worker', (reason) =>
    logToStdout('warn', 'spans-not-sent', { reason }),
  )
  const sessions = await openWorkerSessions({
    folder: config.sessionsFolder,
    bucket: config.sessionsBucket,
    memoryBytesMax: config.sessionMemoryBytesMax,
    storeBytesMax: config.sessionDiskBytesMax,
    masterKey: config.atRestKey,
    secret: config.jobSecret,
  })
  const models = await ServedModels.start(await planModels(config), config, (message) =>
    logToStdout('error', 'fault', { message }),
  )
  try {
    await serveModels({ config, models, sessions, tracing })
  } catch (error) {
    // The process must not end while the runtime's threads are at work.
    await models.drain(0)
    throw error
  }
}

async function serveModels({ config, models, sessions, tracing }: Parts): Promise<void> {
  const app = await createApp({
    models,
    sessions,
    jobSecrets: [config.jobSecret, config.previousJobSecret].filter((each) => each !== undefined),
    log: logToStdout,
    now: Date.now,
    ...(tracing && { tracer: tracing.tracer }),
  })
  const server = await listen(
    (request, env) =>
      refuseTwoHosts((env as HttpBindings).incoming.rawHeaders) ?? app.fetch(request, env),
    config,
  )
  const { host } = config
  const { port } = server.address() as AddressInfo
  logBusCosts(models)
  logToStdout('info', 'ready', { host, port, models: describe(models), ...memoryUse() })
  const announcing =
    config.announce &&
    (await startAnnouncing({
      ...config.announce,
      models: models.all.map(({ engine }) => engine.manifest.id),
      secret: config.previousJobSecret ?? config.jobSecret,
      log: logToStdout,
    }))
  const shutDown = (): void => {
    logToStdout('info', 'draining', { activeJobs: models.activeJobs })
    const drained = models
      .drain(limits.drainMs)
      .then(() => sessions.flush())
      .then(() => tracing?.stop())
    void Promise.all([announcing?.leave(), drained]).then(async () => {
      logToStdout('info', 'stopped', { ...memoryUse() })
      await closeServer(server)
      process.exit(0)
    })
  }
  process.once('SIGTERM', shutDown)
  process.once('SIGINT', shutDown)
  models.ended().catch((error: unknown) => fail(error))
}

/** On CUDA an operator shall see what the bus costs before wondering where the time goes. */
function logBusCosts({ all }: ServedModels): void {
  for (const { engine } of all) {
    const { manifest, form } = engine
    if (form.provider !== 'cuda') continue
    const { positions, bytes, ms } = busCost(manifest, form)
    const cost = { positions, bytesPerForward: bytes, computedMsPerForward: ms }
    const assumed = { assumedBytesPerSecond: BUS_BYTES_PER_SECOND }
    logToStdout('warn', 'keys-and-values-cross-the-bus', {
      model: manifest.id,
      ...cost,
      ...assumed,
    })
  }
}

/** Of each model: its id, what runs it and in which form. */
function describe({ all }: ServedModels): string {
  const forms = all.map(({ engine: { manifest, form } }) => {
    return `${manifest.id} ${form.provider} ${form.precision}`
  })
  return forms.join(', ')
}

function listen(
  fetch: Parameters<typeof serve>[0]['fetch'],
  { host, port }: WorkerConfig,
): Promise<ServerType> {
  return new Promise((resolve, reject) => {
    const serverOptions = {
      headersTimeout: limits.requestHeadersMs,
      requestTimeout: limits.requestMs,
      connectionsCheckingInterval: limits.requestHeadersMs / 2,
      maxHeaderSize: limits.requestHeadersBytesMax,
    }
    const options = { fetch, hostname: host, port, serverOptions }
    const server = serve(options, () => resolve(server))
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'the port is in use' : error.message
      const variables = 'SETBLOCK_WORKER_HOST, SETBLOCK_WORKER_PORT'
      reject(new Error(`${variables}: cannot listen on port ${port} of ${host}: ${why}`))
    })
  })
}

/** All jobs are over: what is on its way may arrive, whoever is connected for nothing must go. */
async function closeServer(server: ServerType): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve))
  // Node counts a connection that has never asked as busy.
  const timer = setTimeout(() => (server as Server).closeAllConnections(), CLOSE_GRACE_MS)
  await closed
  clearTimeout(timer)
}

function fail(error: unknown): never {
  process.stderr.write(`gpu-worker: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}

main().catch(fail)
