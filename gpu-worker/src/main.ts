/** Composition root of the GPU worker: configuration, model, engine thread, HTTP server; SIGTERM and SIGINT drain. */
import type { AddressInfo } from 'node:net'
import { serve, type ServerType } from '@hono/node-server'
import { limits } from '@setblock/shared'
import { EngineClient } from './engine-thread/engine-client.ts'
import { startAnnouncing } from './server/announce.ts'
import { createApp } from './server/app.ts'
import { readCommandLine, USAGE } from './server/command-line.ts'
import { readConfig, type WorkerConfig } from './server/config.ts'
import { logToStdout } from './server/log.ts'
import { openWorkerSessions } from './sessions/worker-sessions.ts'

async function main(): Promise<void> {
  const commandLine = readCommandLine(process.argv.slice(2))
  if (commandLine === 'help') {
    process.stdout.write(`${USAGE}\n`)
    return
  }
  const config = readConfig(process.env, commandLine)
  const { modelFolders, device, precision, queueLengthMax, queuedWorkMsMax } = config
  const [modelFolder, second] = modelFolders
  if (modelFolder === undefined || second !== undefined) throw new Error('--model: give one folder')
  const { threads, spinning, engines, runningMax, kvBytesMax } = config
  const machine = { threads, spinning, engines, runningMax, kvBytesMax }
  const options = { modelFolder, device, precision, queueLengthMax, queuedWorkMsMax, ...machine }
  const engine = await EngineClient.start(options, (message) => logToStdout('fault', { message }))
  const sessions = await openWorkerSessions({
    manifest: engine.manifest,
    form: engine.form,
    folder: config.sessionsFolder,
    bucket: config.sessionsBucket,
    memoryBytesMax: config.sessionMemoryBytesMax,
    storeBytesMax: config.sessionDiskBytesMax,
    masterKey: config.atRestKey,
    secret: config.jobSecret,
  })
  const app = await createApp({
    engine,
    sessions,
    jobSecrets: [config.jobSecret, config.previousJobSecret].filter((each) => each !== undefined),
    log: logToStdout,
    now: Date.now,
  })
  const server = await listen(app.fetch, config)
  const { host } = config
  const { port } = server.address() as AddressInfo
  const { provider, precision: chosen } = engine.form
  logToStdout('ready', {
    host,
    port,
    model: engine.manifest.id,
    device: provider,
    precision: chosen,
  })
  const announcing =
    config.announce &&
    (await startAnnouncing({
      ...config.announce,
      models: [engine.manifest.id],
      secret: config.previousJobSecret ?? config.jobSecret,
      log: logToStdout,
    }))
  const shutDown = (): void => {
    logToStdout('draining', { activeJobs: engine.activeJobs })
    const drained = engine.drain(limits.drainMs).then(() => sessions.flush())
    void Promise.all([announcing?.leave(), drained]).then(() => server.close(() => process.exit(0)))
  }
  process.once('SIGTERM', shutDown)
  process.once('SIGINT', shutDown)
  engine.ended.catch((error: unknown) => fail(error))
}

function listen(
  fetch: Parameters<typeof serve>[0]['fetch'],
  { host, port }: WorkerConfig,
): Promise<ServerType> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch, hostname: host, port }, () => resolve(server))
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE'
      reject(taken ? new Error(`port ${port} on ${host} is in use (SETBLOCK_WORKER_PORT)`) : error)
    })
  })
}

function fail(error: unknown): never {
  process.stderr.write(`gpu-worker: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}

main().catch(fail)
