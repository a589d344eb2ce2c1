import { fileURLToPath } from 'node:url'
import { limits, wholeNumber, workerUrlSchema } from '@setblock/shared'
import * as z from 'zod'
import { ENGINES_MAX } from '../engine/choose-threads.ts'
import { DEVICE_CHOICES, PRECISIONS, type DeviceChoice, type Precision } from '../engine/device.ts'
import { KV_BYTES_MAX_DEFAULT } from '../engine/kv-pool.ts'
import type { S3StoreOptions } from '../sessions/s3-store.ts'
import type { CommandLine } from './command-line.ts'

const bundledModel = fileURLToPath(new URL('../../../models/setblock-nano', import.meta.url))

const splitList = (list: string): string[] =>
  list
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')

function toBucket(url: string): { bucket: string; prefix: string } {
  const [bucket = '', ...path] = url.slice('s3://'.length).split('/')
  return { bucket, prefix: path.join('/') }
}

const environmentSchema = z.object({
  SETBLOCK_WORKER_HOST: z.string().min(1, 'must not be empty').default('127.0.0.1'),
  SETBLOCK_WORKER_PORT: wholeNumber({ min: 0, max: 65_535 }).default(8788),
  /** Model folders, separated by commas. */
  SETBLOCK_MODEL: z
    .string()
    .transform(splitList)
    .pipe(z.array(z.string()).min(1, 'names no folder'))
    .default([bundledModel]),
  SETBLOCK_DEVICE: z
    .enum(DEVICE_CHOICES, { error: `must be one of ${DEVICE_CHOICES.join(', ')}` })
    .default('auto'),
  /** The device's best that a model has, if absent. */
  SETBLOCK_PRECISION: z
    .enum(PRECISIONS, { error: `must be one of ${PRECISIONS.join(', ')}` })
    .optional(),
  SETBLOCK_JOB_SECRET: z
    .string({ error: 'is required' })
    .min(
      limits.jobSecretCharactersMin,
      `must have at least ${limits.jobSecretCharactersMin} characters`,
    ),
  /** Taken too, while the secret changes: infra/runbook.md. */
  SETBLOCK_JOB_SECRET_PREVIOUS: z
    .string()
    .min(
      limits.jobSecretCharactersMin,
      `must have at least ${limits.jobSecretCharactersMin} characters`,
    )
    .optional(),
  /** Edges to which the worker announces itself, separated by commas. */
  SETBLOCK_EDGE_URL: z
    .string()
    .transform((list) => list.split(',').map((url) => url.trim()))
    .pipe(z.array(workerUrlSchema))
    .optional(),
  /** Where the edge reaches this worker. */
  SETBLOCK_ADVERTISE_URL: workerUrlSchema.optional(),
  /** 0: by the size of the graph, see chooseThreads. */
  SETBLOCK_THREADS: wholeNumber({ min: 0, max: 256 }).default(0),
  /** Spinning threads answer sooner and burn CPU between forwards. */
  SETBLOCK_SPINNING: z.enum(['0', '1']).default('0'),
  /** Copies of the model that run side by side; 0: by the size of the graph, see chooseThreads. */
  SETBLOCK_ENGINES: wholeNumber({ min: 0, max: ENGINES_MAX }).default(0),
  /** Jobs that share a forward, of each engine. */
  SETBLOCK_RUNNING_MAX: wholeNumber({ min: 1, max: 64 }).default(8),
  /** Host memory for the weights and caches of all models; most of what the machine has if absent. */
  SETBLOCK_MEMORY_MB: wholeNumber({ min: 1 }).optional(),
  /** Host memory for the caches of running jobs; as many jobs share a forward as fit into it. */
  SETBLOCK_KV_BYTES_MAX: wholeNumber({ min: 1 }).default(KV_BYTES_MAX_DEFAULT),
  /** Where sessions are kept; without it they live as long as the process. */
  SETBLOCK_SESSIONS: z.string().min(1, 'must not be empty').optional(),
  /** A bucket that workers share: s3://bucket/prefix; credentials as AWS's tools take them. */
  SETBLOCK_SESSIONS_BUCKET: z
    .string()
    .regex(/^s3:\/\/[a-z0-9][a-z0-9.-]*(\/[\w-]+)*$/, 'must be s3://bucket/prefix')
    .transform(toBucket)
    .optional(),
  /** Of R2, MinIO and the like. */
  SETBLOCK_S3_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  /** Keys and values kept in memory between turns. */
  SETBLOCK_SESSION_MEMORY_MB: wholeNumber({ min: 0, max: 1_048_576 }).default(512),
  /** Keys and values kept in the folder. */
  SETBLOCK_SESSION_DISK_MB: wholeNumber({ min: 0, max: 1_073_741_824 }).default(4096),
  /** Encrypts what is stored: 32 bytes in base64. */
  SETBLOCK_AT_REST_KEY: z
    .base64({ error: 'must be 32 bytes in base64' })
    .transform((text) => new Uint8Array(Buffer.from(text, 'base64')))
    .refine((key) => key.length === 32, 'must be 32 bytes in base64')
    .optional(),
  SETBLOCK_QUEUE_MAX: wholeNumber({ min: 0, max: 4096 }).default(limits.queueLengthMax),
  /** Predicted work of the jobs that wait. */
  SETBLOCK_QUEUE_WORK_MS: wholeNumber({ min: 1 }).default(limits.queuedWorkMsMax),
  /** Predicted wait beyond which further jobs are refused: what is promised for first tokens, less some. */
  SETBLOCK_QUEUE_WAIT_MS: wholeNumber({ min: 1 }).default(limits.queueWaitMsMax),
})

export interface WorkerConfig {
  readonly host: string
  readonly port: number
  readonly modelFolders: readonly string[]
  readonly device: DeviceChoice
  /** The device's best that a model has, if absent. */
  readonly precision: Precision | undefined
  readonly jobSecret: string
  /** Taken too, while the secret changes. */
  readonly previousJobSecret: string | undefined
  /** The edges to which the worker announces itself, and under which address. */
  readonly announce: { readonly edgeUrls: string[]; readonly advertiseUrl: string } | undefined
  /** 0: by the size of the graph. */
  readonly threads: number
  readonly spinning: boolean
  /** 0: by the size of the graph. */
  readonly engines: number
  readonly runningMax: number
  readonly memoryBytesMax: number | undefined
  readonly kvBytesMax: number
  readonly queueLengthMax: number
  readonly queuedWorkMsMax: number
  readonly queueWaitMsMax: number
  readonly sessionsFolder: string | undefined
  readonly sessionsBucket: S3StoreOptions | undefined
  readonly sessionMemoryBytesMax: number
  readonly sessionDiskBytesMax: number
  readonly atRestKey: Uint8Array | undefined
}

/**
 * Reads the environment once; what the command line says wins.
 * @throws Error naming the first variable or option at fault, never its value.
 */
export function readConfig(
  environment: NodeJS.ProcessEnv,
  commandLine?: CommandLine,
): WorkerConfig {
  const result = environmentSchema.safeParse({ ...environment, ...commandLine?.environment })
  if (!result.success) {
    const issue = result.error.issues[0]
    const variable = String(issue?.path[0])
    throw new Error(`${commandLine?.nameOf(variable) ?? variable}: ${issue?.message}`)
  }
  const value = result.data
  return Object.freeze({
    host: value.SETBLOCK_WORKER_HOST,
    port: value.SETBLOCK_WORKER_PORT,
    modelFolders: value.SETBLOCK_MODEL,
    device: value.SETBLOCK_DEVICE,
    precision: value.SETBLOCK_PRECISION,
    jobSecret: value.SETBLOCK_JOB_SECRET,
    previousJobSecret: value.SETBLOCK_JOB_SECRET_PREVIOUS,
    announce: announceOf(value),
    threads: value.SETBLOCK_THREADS,
    spinning: value.SETBLOCK_SPINNING === '1',
    engines: value.SETBLOCK_ENGINES,
    runningMax: value.SETBLOCK_RUNNING_MAX,
    memoryBytesMax:
      value.SETBLOCK_MEMORY_MB === undefined ? undefined : value.SETBLOCK_MEMORY_MB * 1024 ** 2,
    kvBytesMax: value.SETBLOCK_KV_BYTES_MAX,
    queueLengthMax: value.SETBLOCK_QUEUE_MAX,
    queuedWorkMsMax: value.SETBLOCK_QUEUE_WORK_MS,
    queueWaitMsMax: value.SETBLOCK_QUEUE_WAIT_MS,
    sessionsFolder: value.SETBLOCK_SESSIONS,
    sessionsBucket: value.SETBLOCK_SESSIONS_BUCKET && {
      ...value.SETBLOCK_SESSIONS_BUCKET,
      endpoint: value.SETBLOCK_S3_ENDPOINT,
    },
    sessionMemoryBytesMax: value.SETBLOCK_SESSION_MEMORY_MB * 1024 * 1024,
    sessionDiskBytesMax: value.SETBLOCK_SESSION_DISK_MB * 1024 * 1024,
    atRestKey: value.SETBLOCK_AT_REST_KEY,
  })
}

/** @throws Error when one of the two variables is there without the other */
function announceOf(value: z.output<typeof environmentSchema>): WorkerConfig['announce'] {
  const { SETBLOCK_EDGE_URL: edgeUrls, SETBLOCK_ADVERTISE_URL: advertiseUrl } = value
  if (edgeUrls === undefined && advertiseUrl === undefined) return undefined
  if (edgeUrls === undefined) throw new Error('SETBLOCK_EDGE_URL: is required to advertise a URL')
  if (advertiseUrl === undefined) {
    throw new Error('SETBLOCK_ADVERTISE_URL: is required to announce the worker to an edge')
  }
  return { edgeUrls, advertiseUrl }
}
