import { parseArgs, type ParseArgsConfig } from 'node:util'
import { usageLine } from './usage-line.ts'

export const USAGE = `npm exec node gpu-worker/src/main.ts -- [options]

  --model FOLDER      a model to serve; may be given several times  (SETBLOCK_MODEL, models/setblock-nano)
  --device DEVICE     auto, cpu, webgpu or cuda                     (SETBLOCK_DEVICE, auto)
  --precision FORM    int8, fp32, fp16 or q4f16                     (SETBLOCK_PRECISION, the device's best)
  --host HOST         address to listen on                          (SETBLOCK_WORKER_HOST, 127.0.0.1)
  --port PORT         port to listen on, 0: any free one            (SETBLOCK_WORKER_PORT, 8788)
  --threads N         threads of one forward on the CPU             (SETBLOCK_THREADS, by the model's size)
  --memory-mb MIB     for weights and caches of all models          (SETBLOCK_MEMORY_MB, 90 % of the machine's)
  --help

An option wins over its variable. All variables: infra/README.md; SETBLOCK_JOB_SECRET is required.`

/** The environment variable that each option stands for. */
const VARIABLES = {
  device: 'SETBLOCK_DEVICE',
  precision: 'SETBLOCK_PRECISION',
  host: 'SETBLOCK_WORKER_HOST',
  port: 'SETBLOCK_WORKER_PORT',
  threads: 'SETBLOCK_THREADS',
  'memory-mb': 'SETBLOCK_MEMORY_MB',
} as const

const FLAGS = {
  model: { type: 'string', multiple: true },
  device: { type: 'string' },
  precision: { type: 'string' },
  host: { type: 'string' },
  port: { type: 'string' },
  threads: { type: 'string' },
  'memory-mb': { type: 'string' },
  help: { type: 'boolean' },
} as const satisfies ParseArgsConfig['options']

export interface CommandLine {
  /** The variables that options stand for, with their values. */
  readonly environment: Readonly<Record<string, string>>
  /** How messages call a variable: the option, where one was given. */
  readonly nameOf: (variable: string) => string
}

/** @returns 'help' if that is what was asked for. @throws Error naming the option at fault. */
export function readCommandLine(args: readonly string[]): CommandLine | 'help' {
  const { model, help, ...values } = parse(args)
  if (help === true) return 'help'
  const environment: Record<string, string> = {}
  const names: Record<string, string> = {}
  const set = (option: string, variable: string, value: string | undefined): void => {
    if (value === undefined) return
    environment[variable] = value
    names[variable] = `--${option}`
  }
  set('model', 'SETBLOCK_MODEL', model?.join(','))
  for (const option of Object.keys(VARIABLES) as (keyof typeof VARIABLES)[]) {
    set(option, VARIABLES[option], values[option])
  }
  return { environment, nameOf: (variable) => names[variable] ?? variable }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS, strict: true }).values
  } catch (error) {
    throw new Error(`${usageLine(error)} See --help`, { cause: error })
  }
}
