import { parseArgs } from 'node:util'
import * as z from 'zod'
import type { Precision } from './devices.ts'

export const USAGE = `npm run plan -- --gpu h200 --model 8b --rps 20

  --gpu NAME              h100, h200, l4, a10, l40s, 4090, or custom (default h100)
  --memory-gb, --bandwidth-gbs, --tera-operations N
                          instead of the table's, and all that custom has: a CPU, another GPU
  --model SIZE|FOLDER     1b, 8b, 70b, or a folder with setblock.json (default 8b)
  --precision P           fp16, q4f16, int8, fp32 (default fp16)
  --rps N                 requests a second (default 1)
  --tokens-in, --tokens-out N
                          of a request (default 512, 256)
  --mode M                verified, sbd, ntp (default verified)
  --gamma G               mode sbd: 0.1, 0.35, 0.6, as recorded (default 0.35)
  --block-length K        default 16
  --tokens-per-forward N, --rows-per-forward N
                          what your model reaches; default: what the recorded bench measured
  --streams N             at a time on one device, at most (default 64, SETBLOCK_RUNNING_MAX)
  --stream-speed N        tokens a second that a stream shall have at least; fewer streams then
  --efficiency N          share of the roofline that is reached (default 0.6, an assumption)
  --utilisation N         share of the slots in use on average (default 0.7)
  --price N               of one device for an hour, in your currency
`

const share = z.coerce.number().gt(0).max(1)
const positive = z.coerce.number().gt(0)
const count = z.coerce.number().int().min(1)
const precisions = ['fp16', 'q4f16', 'int8', 'fp32'] as const satisfies readonly Precision[]

const optionsSchema = z.object({
  gpu: z.string().default('h100'),
  'memory-gb': positive.optional(),
  'bandwidth-gbs': positive.optional(),
  'tera-operations': positive.optional(),
  model: z.string().default('8b'),
  precision: z.enum(precisions).default('fp16'),
  rps: positive.default(1),
  'tokens-in': count.default(512),
  'tokens-out': count.default(256),
  mode: z.enum(['verified', 'sbd', 'ntp']).default('verified'),
  gamma: z.enum(['0.1', '0.35', '0.6']).default('0.35'),
  'block-length': z.coerce.number().int().min(2).max(16).default(16),
  'tokens-per-forward': positive.min(1).optional(),
  'rows-per-forward': positive.min(1).optional(),
  streams: count.default(64),
  'stream-speed': positive.optional(),
  efficiency: share.default(0.6),
  utilisation: share.lt(1).default(0.7),
  price: positive.optional(),
})

export type PlanOptions = z.infer<typeof optionsSchema>

/** @throws Error naming the first option at fault */
export function readOptions(args: readonly string[]): PlanOptions {
  const options = Object.fromEntries(
    Object.keys(optionsSchema.shape).map((name) => [name, { type: 'string' as const }]),
  )
  const { values } = parseArgs({ args: [...args], options })
  const result = optionsSchema.safeParse(values)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw new Error(`--${issue?.path.join('.')}: ${issue?.message}`)
}
