import { limits, parseWith } from '@setblock/shared'
import * as z from 'zod'

const workerUrl = z
  .url({ protocol: /^https?$/, error: 'must be http(s) URLs separated by commas' })
  .transform((url) => url.replace(/\/+$/, ''))

/** What the edge is told about its workers, on every platform. */
const workersSchema = z.object({
  GPU_WORKERS: z
    .string({ error: 'must be set' })
    .transform((list) => list.split(',').map((url) => url.trim()))
    .pipe(z.array(workerUrl).min(1)),
  SETBLOCK_JOB_SECRET: z.string({ error: 'must be set' }).min(limits.jobSecretCharactersMin, {
    error: `must have at least ${limits.jobSecretCharactersMin} characters`,
  }),
})

const nodeSchema = workersSchema.extend({
  SETBLOCK_KEYS_FILE: z.string({ error: 'must be set' }).min(1),
  SETBLOCK_MODEL: z.string().min(1).optional(),
  SETBLOCK_EDGE_HOST: z.string().min(1).default('127.0.0.1'),
  SETBLOCK_EDGE_PORT: z.coerce.number().int().min(0).max(65_535).default(8787),
})

/** Workers' variables. Throws ApiError whose message names the one at fault, never its value. */
export function readWorkersConfig(env: unknown) {
  const parsed = parseWith(workersSchema, env, 'internal_error')
  return { urls: parsed.GPU_WORKERS, secret: parsed.SETBLOCK_JOB_SECRET }
}

/** A Node process's variables; fails like readWorkersConfig. */
export function readNodeConfig(env: unknown) {
  const parsed = parseWith(nodeSchema, env, 'internal_error')
  return {
    workers: { urls: parsed.GPU_WORKERS, secret: parsed.SETBLOCK_JOB_SECRET },
    keysFile: parsed.SETBLOCK_KEYS_FILE,
    modelFolder: parsed.SETBLOCK_MODEL,
    host: parsed.SETBLOCK_EDGE_HOST,
    port: parsed.SETBLOCK_EDGE_PORT,
  }
}
