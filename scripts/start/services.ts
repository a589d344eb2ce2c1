import path from 'node:path'
import { PAGE_FOLDER } from '../../edge/src/page/page-source.ts'
import type { StartOptions } from './options.ts'
import { startService, type Service } from './service.ts'
import { statePaths, writePrivate, type InstanceSecrets } from './state.ts'

export const repository = path.resolve(import.meta.dirname, '..', '..')
const wrangler = path.join(repository, 'node_modules', 'wrangler', 'bin', 'wrangler.js')

/** Keeps wrangler from asking, updating and reporting: it has nobody to talk to here. */
const QUIET_WRANGLER = {
  CI: '1',
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
}

/** Everything a service needs to know; the ports are settled. */
export interface Plan {
  readonly options: StartOptions
  readonly secrets: InstanceSecrets
  readonly edgePort: number
  readonly workerPort: number
  /** Variables of the edge beside, or instead of, those of an edge with one worker. */
  readonly edgeVariables?: Readonly<Record<string, string>>
}

export const edgeUrl = ({ options, edgePort }: Plan): string => `http://${options.host}:${edgePort}`
export const workerUrl = ({ options, workerPort }: Plan): string =>
  `http://${options.host}:${workerPort}`

export function startWorker(plan: Plan): Service {
  const { options, secrets, workerPort } = plan
  return startService({
    name: 'the worker',
    lives: true,
    script: [path.join(repository, 'gpu-worker', 'src', 'main.ts')],
    env: {
      SETBLOCK_WORKER_HOST: options.host,
      SETBLOCK_WORKER_PORT: String(workerPort),
      SETBLOCK_MODEL: options.modelFolders.join(),
      SETBLOCK_JOB_SECRET: secrets.jobSecret,
      SETBLOCK_SESSIONS: statePaths(options.stateFolder).sessions,
      ...(options.device !== undefined && { SETBLOCK_DEVICE: options.device }),
      ...(options.precision !== undefined && { SETBLOCK_PRECISION: options.precision }),
    },
    cwd: repository,
    logFile: logFile(options, 'worker'),
  })
}

/** Builds the playground for the edge on Node, and exits; wrangler has it built by itself. */
export function startAssetBuild({ options }: Plan): Service {
  return startService({
    name: 'building the playground',
    lives: false,
    script: [path.join(repository, 'scripts', 'build-assets.ts')],
    env: assetVariables(options),
    cwd: repository,
    logFile: logFile(options, 'assets'),
  })
}

export function startEdgeOnNode(plan: Plan): Service {
  const { options, secrets, edgePort } = plan
  return startService({
    name: 'the edge',
    lives: true,
    script: [path.join(repository, 'edge', 'src', 'node.ts')],
    env: {
      SETBLOCK_EDGE_HOST: options.host,
      SETBLOCK_EDGE_PORT: String(edgePort),
      SETBLOCK_MODEL: options.modelFolders.join(),
      SETBLOCK_DATABASE: statePaths(options.stateFolder).database,
      SETBLOCK_PLAYGROUND: path.join(statePaths(options.stateFolder).assets, PAGE_FOLDER),
      SETBLOCK_JOB_SECRET: secrets.jobSecret,
      SETBLOCK_ADMIN_KEY: secrets.adminKey,
      GPU_WORKERS: workerUrl(plan),
      ...plan.edgeVariables,
    },
    cwd: repository,
    logFile: logFile(options, 'edge'),
  })
}

/** Starts the edge in the Workers runtime; its database must be up to date. */
export async function startEdgeOnWorkers(plan: Plan): Promise<Service> {
  const { options, secrets, edgePort } = plan
  const paths = statePaths(options.stateFolder)
  const variables = {
    SETBLOCK_JOB_SECRET: secrets.jobSecret,
    SETBLOCK_ADMIN_KEY: secrets.adminKey,
    GPU_WORKERS: workerUrl(plan),
    ...plan.edgeVariables,
  }
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`)
  await writePrivate(paths.edgeVariables, lines.join(''))
  return startService({
    name: 'the edge',
    lives: true,
    script: [
      wrangler,
      'dev',
      `--ip=${options.host}`,
      `--port=${edgePort}`,
      '--inspector-port=0',
      '--show-interactive-dev-session=false',
      `--persist-to=${paths.wrangler}`,
      `--env-file=${paths.edgeVariables}`,
      `--assets=${paths.assets}`,
    ],
    env: { ...QUIET_WRANGLER, ...assetVariables(options) },
    cwd: repository,
    logFile: logFile(options, 'edge'),
  })
}

/** Brings the local D1 database of the edge on Workers up to date, and exits. */
export function startMigration(plan: Plan): Service {
  const { options } = plan
  return startService({
    name: 'preparing the database',
    lives: false,
    script: [
      wrangler,
      'd1',
      'migrations',
      'apply',
      'DB',
      '--local',
      `--persist-to=${statePaths(options.stateFolder).wrangler}`,
    ],
    env: QUIET_WRANGLER,
    cwd: repository,
    logFile: logFile(options, 'database'),
  })
}

/** What the asset build reads, whoever runs it. */
function assetVariables({ modelFolders, stateFolder }: StartOptions): Record<string, string> {
  return { SETBLOCK_MODEL: modelFolders.join(), SETBLOCK_ASSETS: statePaths(stateFolder).assets }
}

function logFile(options: StartOptions, name: string): string {
  return path.join(statePaths(options.stateFolder).logs, `${name}.log`)
}
