import { ApiError, limits, parseWith, wholeNumber } from '@setblock/shared'
import * as z from 'zod'
import { originSchema } from './auth/browser-token.ts'
import { edgeLimits } from './limits.ts'
import { HOST_PATTERN } from './workers/worker-hosts.ts'
import { workerSourceSchema } from './workers/worker-sources.ts'
import type { WorkerSource } from './workers/worker-sources.ts'

const secret = z.string({ error: 'must be set' }).min(limits.jobSecretCharactersMin, {
  error: `must have at least ${limits.jobSecretCharactersMin} characters`,
})

const splitList = (list: string) =>
  list
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')

/** What the edge is told on every platform. */
const edgeSchema = z.object({
  GPU_WORKERS: z
    .string({ error: 'must be set' })
    .transform((list) => list.split(',').map((source) => source.trim()))
    .pipe(z.array(workerSourceSchema).min(1)),
  SETBLOCK_WORKER_HOSTS: z
    .string()
    .default('')
    .transform((list) => splitList(list.toLowerCase()))
    .pipe(
      z.array(
        z.string().regex(HOST_PATTERN, { error: 'must be hosts, such as w-*.example.com:8788' }),
      ),
    ),
  SETBLOCK_JOB_SECRET: secret,
  SETBLOCK_JOB_SECRET_PREVIOUS: secret.optional(),
  SETBLOCK_ADMIN_KEY: secret,
  SETBLOCK_CORS_ORIGINS: z
    .string()
    .default('')
    .transform(splitList)
    .pipe(z.array(z.union([z.literal('*'), originSchema]))),
  SETBLOCK_USAGE_DAYS: wholeNumber({
    min: edgeLimits.usageKeptDaysMin,
    max: edgeLimits.usageKeptDaysMax,
  }).default(edgeLimits.usageKeptDaysDefault),
})

const nodeSchema = edgeSchema.extend({
  SETBLOCK_DATABASE: z.string({ error: 'must be set' }).min(1),
  /** Model folders, separated by commas. */
  SETBLOCK_MODEL: z
    .string()
    .transform(splitList)
    .pipe(z.array(z.string()).min(1, { error: 'names no folder' }))
    .optional(),
  SETBLOCK_PLAYGROUND: z.string().min(1, 'must not be empty').optional(),
  SETBLOCK_EDGE_HOST: z.string().min(1, 'must not be empty').default('127.0.0.1'),
  SETBLOCK_EDGE_PORT: wholeNumber({ min: 0, max: 65_535 }).default(8787),
  SETBLOCK_ADDRESS_HEADER: z
    .string()
    .regex(/^[\w!#$%&'*+.^`|~-]+$/, { error: 'must be the name of a header' })
    .optional(),
  SETBLOCK_METRICS_HOST: z.string().min(1, 'must not be empty').default('127.0.0.1'),
  SETBLOCK_METRICS_PORT: wholeNumber({ min: 0, max: 65_535 }).optional(),
})

export interface EdgeConfig {
  readonly workers: {
    readonly sources: readonly WorkerSource[]
    /** Hosts at which workers may announce themselves, see worker-hosts.ts. */
    readonly hosts: readonly string[]
    readonly secret: string
    /** Still taken from workers while the secret changes. */
    readonly previousSecret?: string | undefined
  }
  /** The operator's secret. */
  readonly adminKey: string
  readonly corsOrigins: readonly string[]
  /** Days that usage records are kept. */
  readonly usageDays: number
}

/** Workers' variables. Throws ApiError whose message names the one at fault, never its value. */
export function readEdgeConfig(env: unknown): EdgeConfig {
  return toConfig(parseWith(edgeSchema, env, 'internal_error'))
}

/** A Node process's variables; fails like readEdgeConfig. */
export function readNodeConfig(env: unknown) {
  const parsed = parseWith(nodeSchema, env, 'internal_error')
  return {
    edge: toConfig(parsed),
    databaseFile: parsed.SETBLOCK_DATABASE,
    modelFolders: parsed.SETBLOCK_MODEL,
    pageFolder: parsed.SETBLOCK_PLAYGROUND,
    host: parsed.SETBLOCK_EDGE_HOST,
    port: parsed.SETBLOCK_EDGE_PORT,
    /** Header in which a trusted proxy in front names the client's address. */
    addressHeader: parsed.SETBLOCK_ADDRESS_HEADER,
    /** Where Prometheus may ask, apart from the port that the public reaches; nowhere by default. */
    metrics:
      parsed.SETBLOCK_METRICS_PORT === undefined
        ? undefined
        : { host: parsed.SETBLOCK_METRICS_HOST, port: parsed.SETBLOCK_METRICS_PORT },
  }
}

function toConfig(parsed: z.output<typeof edgeSchema>): EdgeConfig {
  const open = parsed.GPU_WORKERS.some(({ kind }) => kind === 'registry')
  if (open && parsed.SETBLOCK_WORKER_HOSTS.length === 0) {
    throw new ApiError(
      'internal_error',
      'SETBLOCK_WORKER_HOSTS: must name the hosts that may announce themselves to the registry',
      { param: 'SETBLOCK_WORKER_HOSTS' },
    )
  }
  return {
    workers: {
      sources: parsed.GPU_WORKERS,
      hosts: parsed.SETBLOCK_WORKER_HOSTS,
      secret: parsed.SETBLOCK_JOB_SECRET,
      previousSecret: parsed.SETBLOCK_JOB_SECRET_PREVIOUS,
    },
    adminKey: parsed.SETBLOCK_ADMIN_KEY,
    corsOrigins: parsed.SETBLOCK_CORS_ORIGINS,
    usageDays: parsed.SETBLOCK_USAGE_DAYS,
  }
}
