import { access, readFile } from 'node:fs/promises'
import path from 'node:path'
import { manifestSchema, parseWith } from '@setblock/shared'
import * as z from 'zod'
import type { StartOptions } from './options.ts'
import { ensureDemoKey } from './demo-key.ts'
import { describeWorker, type WorkerFacts } from './describe-worker.ts'
import { findPort } from './ports.ts'
import { waitUntilReady } from './ready.ts'
import type { Service } from './service.ts'
import {
  edgeUrl,
  startAssetBuild,
  startEdgeOnNode,
  startEdgeOnWorkers,
  startMigration,
  startWorker,
  workerUrl,
  type Plan,
} from './services.ts'
import { StartError } from './start-error.ts'
import { loadSecrets, openState, statePaths } from './state.ts'

/** Longest that a service may take to become ready, on a busy machine. */
const READY_TIMEOUT_MS = 120_000

/** A worker and an edge, running and ready. */
export interface Stack {
  /** Where the API answers; no trailing slash. */
  readonly edgeUrl: string
  readonly workerUrl: string
  readonly demoKey: string
  /** Opens the admin routes. */
  readonly adminKey: string
  /** The first of the models served. */
  readonly model: OfferedModel
  readonly worker: WorkerFacts
  readonly logFolder: string
  /** Resolves with the error when a service stops unasked; never rejects. */
  readonly failed: Promise<StartError>
  /** Ends both; resolves when no process of theirs is left. */
  stop(): Promise<void>
  /** Ends both at once, without letting them finish anything. */
  kill(): void
}

/**
 * Starts a worker and an edge and waits until both are ready. If it fails, or the signal aborts it,
 * nothing is left running.
 *
 * @throws StartError saying in one line what is wrong.
 */
export async function startStack(options: StartOptions, signal: AbortSignal): Promise<Stack> {
  const [model] = await Promise.all(options.modelFolders.map(readModel))
  if (model === undefined) throw new StartError('there is no model to serve')
  const plan = await makePlan(options)
  const services: Service[] = []
  const keep = (service: Service): Service => {
    services.push(service)
    return service
  }
  const stop = async (): Promise<void> => {
    await Promise.all(services.map((service) => service.stop()))
  }
  let demoKey: string
  let worker: WorkerFacts
  try {
    await startServices(plan, { keep, signal })
    demoKey = await ensureDemoKey({
      edgeUrl: edgeUrl(plan),
      secrets: plan.secrets,
      secretsFile: statePaths(options.stateFolder).secrets,
    })
    worker = await describeWorker(workerUrl(plan))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    edgeUrl: edgeUrl(plan),
    workerUrl: workerUrl(plan),
    demoKey,
    adminKey: plan.secrets.adminKey,
    model,
    worker,
    logFolder: statePaths(options.stateFolder).logs,
    failed: Promise.race(
      services
        .filter(({ lives }) => lives)
        .map(async (service) => {
          await service.exited
          return service.exitError()
        }),
    ),
    stop,
    kill: () => services.forEach((service) => service.kill()),
  }
}

async function makePlan(options: StartOptions): Promise<Plan> {
  const { host, port, workerPort, stateFolder } = options
  await openState(stateFolder)
  return {
    options,
    edgePort: await findPort({ host, port, option: '--port' }),
    workerPort: await findPort({ host, port: workerPort, option: '--worker-port' }),
    secrets: await loadSecrets(statePaths(stateFolder).secrets),
  }
}

export interface Start {
  /** Remembers a service, so that it is stopped when a later one does not start. */
  readonly keep: (service: Service) => Service
  readonly signal: AbortSignal
}

async function startServices(plan: Plan, { keep, signal }: Start): Promise<void> {
  const worker = keep(startWorker(plan))
  const edge = keep(await startEdge(plan, { keep, signal }))
  const wait = (service: Service, url: string): Promise<void> =>
    waitUntilReady({ service, url: `${url}/readyz`, timeoutMs: READY_TIMEOUT_MS, signal })
  await Promise.all([wait(worker, workerUrl(plan)), wait(edge, edgeUrl(plan))])
}

/** Starts the edge alone, with what it needs beside a worker; it may not be ready yet. */
export async function startEdge(plan: Plan, { keep, signal }: Start): Promise<Service> {
  switch (plan.options.edge) {
    case 'node':
      await finish(keep(startAssetBuild(plan)), signal)
      return startEdgeOnNode(plan)
    case 'wrangler':
      await finish(keep(startMigration(plan)), signal)
      return startEdgeOnWorkers(plan)
  }
}

/** Waits for a program that does its work and exits. */
async function finish(service: Service, signal: AbortSignal): Promise<void> {
  await service.exited
  signal.throwIfAborted()
  if (!service.succeeded()) throw service.exitError()
}

/** A model as a client may ask for it. */
export interface OfferedModel {
  readonly id: string
  /** Whether it has a form for conversations. */
  readonly chats: boolean
}

async function readModel(folder: string): Promise<OfferedModel> {
  const file = path.join(folder, 'setblock.json')
  try {
    await access(file)
  } catch {
    throw new StartError(
      `there is no model in ${folder} (setblock.json is missing); choose a folder with --model, ` +
        'or build one with npx setblock build',
    )
  }
  try {
    const manifest = parseWith(manifestSchema, JSON.parse(await readFile(file, 'utf8')))
    const config: unknown = JSON.parse(
      await readFile(path.join(folder, manifest.tokenizer.configFile), 'utf8'),
    )
    const chats = z.object({ chat_template: z.string() }).safeParse(config).success
    return { id: manifest.id, chats }
  } catch (error) {
    throw new StartError(`${file} is not a model manifest: ${(error as Error).message}`)
  }
}
