import path from 'node:path'
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { usageLine } from '../../gpu-worker/src/server/usage-line.ts'
import {
  DEVICE_CHOICES,
  PRECISIONS,
  type DeviceChoice,
  type Precision,
} from '../../gpu-worker/src/engine/device.ts'
import { StartError } from './start-error.ts'

/** The edge's two homes: the Workers runtime, run locally by wrangler, or plain Node. */
export type EdgeRuntime = 'wrangler' | 'node'

export interface StartOptions {
  readonly edge: EdgeRuntime
  readonly host: string
  /** Port of the edge; 0 takes a free one. */
  readonly port: number
  readonly workerPort: number
  readonly modelFolders: readonly string[]
  /** The worker's choice where absent. */
  readonly device?: DeviceChoice | undefined
  readonly precision?: Precision | undefined
  /** Keys, local KV data and logs of this instance; private, and ignored by git. */
  readonly stateFolder: string
}

const OPTIONS = `
  --port PORT          port of the API            (SETBLOCK_EDGE_PORT, 8787; 0: any free one)
  --worker-port PORT   port of the GPU worker     (SETBLOCK_WORKER_PORT, 8788; 0: any free one)
  --host HOST          address both listen on     (127.0.0.1)
  --model FOLDER       model to serve; several times for several  (SETBLOCK_MODEL, models/setblock-nano)
  --device DEVICE      auto, cpu, webgpu or cuda  (SETBLOCK_DEVICE, auto)
  --precision FORM     int8, fp32, fp16 or q4f16  (SETBLOCK_PRECISION, the device's best)
  --edge wrangler|node where the edge runs        (wrangler)
  --state FOLDER       keys, KV data and logs     (.setblock)
  --help`

export const USAGE = `npm start -- [options]\n${OPTIONS}`
export const SERVE_USAGE = `npx setblock serve [options]\n${OPTIONS}`

const FLAGS = {
  port: { type: 'string' },
  'worker-port': { type: 'string' },
  host: { type: 'string' },
  model: { type: 'string', multiple: true },
  device: { type: 'string' },
  precision: { type: 'string' },
  edge: { type: 'string' },
  state: { type: 'string' },
  help: { type: 'boolean' },
} as const satisfies ParseArgsConfig['options']

export interface ParseContext {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The repository's folder: what the defaults are relative to. */
  readonly repository: string
}

/**
 * Reads the command line, then the environment, then the defaults.
 *
 * @returns 'help' if that is what was asked for.
 * @throws StartError naming the option at fault.
 */
export function parseOptions(
  args: readonly string[],
  context: ParseContext,
): StartOptions | 'help' {
  const { env, repository } = context
  const flags = parseFlags(args)
  if (flags.help === true) return 'help'
  const edge = flags.edge ?? 'wrangler'
  if (edge !== 'wrangler' && edge !== 'node') {
    throw new StartError(`--edge must be wrangler or node, not ${edge}`)
  }
  const options = {
    edge,
    host: flags.host ?? '127.0.0.1',
    port: parsePort('--port', flags.port ?? env.SETBLOCK_EDGE_PORT ?? '8787'),
    workerPort: parsePort(
      '--worker-port',
      flags['worker-port'] ?? env.SETBLOCK_WORKER_PORT ?? '8788',
    ),
    modelFolders: chooseFolders(flags.model ?? env.SETBLOCK_MODEL?.split(','), repository),
    device: oneOf('--device', flags.device ?? env.SETBLOCK_DEVICE, DEVICE_CHOICES),
    precision: oneOf('--precision', flags.precision ?? env.SETBLOCK_PRECISION, PRECISIONS),
    stateFolder: path.resolve(flags.state ?? path.join(repository, '.setblock')),
  } as const
  if (options.port === options.workerPort && options.port !== 0) {
    throw new StartError(`--port and --worker-port are both ${options.port}; they must differ`)
  }
  return options
}

function chooseFolders(named: readonly string[] | undefined, repository: string): string[] {
  const folders = named?.map((folder) => folder.trim()).filter((folder) => folder !== '') ?? []
  if (folders.length === 0) return [path.join(repository, 'models', 'setblock-nano')]
  const comma = folders.find((folder) => path.resolve(folder).includes(','))
  // The services are told their folders in one variable, separated by commas.
  if (comma !== undefined)
    throw new StartError(`--model: a path may hold no comma, as ${comma} does`)
  return folders.map((folder) => path.resolve(folder))
}

function oneOf<Value extends string>(
  name: string,
  text: string | undefined,
  values: readonly Value[],
): Value | undefined {
  if (text === undefined) return undefined
  const value = values.find((each) => each === text)
  if (value !== undefined) return value
  throw new StartError(`${name} must be one of ${values.join(', ')}, not ${text}`)
}

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS, strict: true }).values
  } catch (error) {
    throw new StartError(`${usageLine(error)} See --help`)
  }
}

function parsePort(name: string, text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw new StartError(`${name} must be a port from 0 to 65535, not ${text}`)
}
