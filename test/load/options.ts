import { parseArgs } from 'node:util'
import { KNEE } from './knee.ts'
import type { Slo } from './tally.ts'

export const USAGE = `npm run load -- [options]

  --url URL          an edge that runs, with --key (SETBLOCK_KEY); else a stack of its own is started
  --key KEY          API key for --url
  --model ID         model to ask for with --url       (setblock-nano)
  --workers N        workers of the own stack          (1)
  --rate R           requests a second; may be given several times, or as 2x of a knee
  --find-knee        look for the rate at which goodput stops following
  --seconds S        counted seconds of a phase        (10)
  --queue-wait-ms MS predicted wait beyond which the own workers refuse (0.4 of --ttft-ms)
  --ttft-ms MS       SLO: first text after at most     (2500)
  --per-token-ms MS  SLO: mean time per token at most  (150, faster than one reads)
  --seed N           of arrivals, prompts and settings (1)
  --help`

/** Of the promised time to the first token, what may go by in the queue. */
const QUEUE_SHARE = 0.4

export interface LoadOptions {
  readonly url: string | undefined
  readonly key: string | undefined
  readonly model: string
  readonly workers: number
  readonly queueWaitMs: number
  /** Absolute rates, and multiples of the knee. */
  readonly rates: readonly number[]
  readonly multiples: readonly number[]
  readonly findKnee: boolean
  readonly seconds: number
  readonly slo: Slo
  readonly seed: number
}

/** @throws Error naming the option at fault */
export function readOptions(args: readonly string[], env: NodeJS.ProcessEnv): LoadOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      url: { type: 'string' },
      key: { type: 'string' },
      model: { type: 'string', default: 'setblock-nano' },
      workers: { type: 'string', default: '1' },
      rate: { type: 'string', multiple: true, default: [] },
      'find-knee': { type: 'boolean', default: false },
      seconds: { type: 'string', default: '10' },
      'queue-wait-ms': { type: 'string' },
      'ttft-ms': { type: 'string', default: '2500' },
      'per-token-ms': { type: 'string', default: '150' },
      seed: { type: 'string', default: '1' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const given = values.rate.flatMap((rate) => rate.split(','))
  const multiples = given.filter((rate) => rate.endsWith('x'))
  const findKnee = values['find-knee']
  if (multiples.length > 0 && !findKnee) throw new Error('--rate: a multiple needs --find-knee')
  const rates = given.filter((rate) => !rate.endsWith('x'))
  const ttftMs = positive('--ttft-ms', values['ttft-ms'])
  const key = values.key ?? env['SETBLOCK_KEY']
  if (values.url !== undefined && key === undefined) throw new Error('--key: --url needs one')
  return {
    url: values.url?.replace(/\/+$/, ''),
    key,
    model: values.model,
    workers: positive('--workers', values.workers),
    // What is left of the promise is for the prompt and the way.
    queueWaitMs:
      values['queue-wait-ms'] === undefined
        ? QUEUE_SHARE * ttftMs
        : positive('--queue-wait-ms', values['queue-wait-ms']),
    rates:
      given.length === 0 && !findKnee
        ? [KNEE.startRate]
        : rates.map((rate) => positive('--rate', rate)),
    multiples: multiples.map((rate) => positive('--rate', rate.slice(0, -1))),
    findKnee,
    seconds: positive('--seconds', values.seconds),
    slo: {
      ttftMs,
      perTokenMs: positive('--per-token-ms', values['per-token-ms']),
    },
    seed: positive('--seed', values.seed),
  }
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0) return value
  throw new Error(`${name}: must be a number above 0, not ${text}`)
}
