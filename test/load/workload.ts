import { seededRandom } from '../../gpu-worker/src/testing/seeded-random.ts'
import { readItems, STORY_PROMPTS, TASKS } from '../eval/tasks.ts'

/** How a client behaves once its answer comes. */
export type Reader = 'steady' | 'slow' | 'leaves'

/** One request that will be sent, whatever became of those before it. */
export interface Arrival {
  /** Milliseconds from the start of the phase. */
  readonly atMs: number
  /** The setting it is reported under. */
  readonly group: string
  readonly reader: Reader
  /** Opens a session and asks for a second turn when the first has ended. */
  readonly twoTurns: boolean
  /** Of the API's chat request, beside model, messages and session. */
  readonly fields: Readonly<Record<string, string | number>>
  readonly prompt: string
}

export interface Mix {
  /** Decoders by weight. */
  readonly groups: readonly {
    readonly name: string
    readonly weight: number
    readonly fields: object
  }[]
  /** Shares of all requests. */
  readonly slow: number
  readonly leaves: number
  readonly twoTurns: number
  readonly maxTokens: number
}

export const MIX: Mix = {
  groups: [
    { name: 'verified', weight: 6, fields: { mode: 'verified' } },
    { name: 'sbd γ 0.1', weight: 1, fields: { gamma: 0.1 } },
    { name: 'sbd γ 0.35', weight: 2, fields: { gamma: 0.35 } },
    { name: 'ntp', weight: 1, fields: { mode: 'ntp' } },
  ],
  slow: 0.05,
  leaves: 0.05,
  twoTurns: 0.1,
  maxTokens: 96,
}

/** Prompts of each task that take part. */
const ROWS = 40

/** The held-out prompts of the evaluation, those that need structure and open stories. */
export async function readPrompts(): Promise<string[]> {
  const items = await Promise.all(
    TASKS.filter((task) => task !== 'story').map((task) => readItems(task, ROWS)),
  )
  return [...items.flat().map(({ prompt }) => prompt), ...STORY_PROMPTS]
}

/**
 * Poisson arrivals: gaps are exponential with mean 1/rate and owe nothing to how fast answers come. The same seed gives
 * the same requests at the same moments.
 */
export function planArrivals(options: {
  rate: number
  seconds: number
  seed: number
  prompts: readonly string[]
  mix: Mix
}): Arrival[] {
  const { rate, seconds, seed, prompts, mix } = options
  const random = seededRandom(seed)
  const arrivals: Arrival[] = []
  let atMs = 0
  for (;;) {
    atMs += (-Math.log(1 - random()) * 1000) / rate
    if (atMs >= seconds * 1000) return arrivals
    arrivals.push(arrivalAt(atMs, random, { prompts, mix }))
  }
}

function arrivalAt(
  atMs: number,
  random: () => number,
  { prompts, mix }: { prompts: readonly string[]; mix: Mix },
): Arrival {
  const group = pickWeighted(mix.groups, random())
  const behaviour = random()
  const reader =
    behaviour < mix.slow ? 'slow' : behaviour < mix.slow + mix.leaves ? 'leaves' : 'steady'
  return {
    atMs,
    group: group.name,
    reader,
    twoTurns: random() < mix.twoTurns,
    fields: { max_tokens: mix.maxTokens, seed: Math.floor(random() * 2 ** 32), ...group.fields },
    prompt: prompts[Math.floor(random() * prompts.length)]!,
  }
}

function pickWeighted<Item extends { readonly weight: number }>(
  items: readonly Item[],
  share: number,
): Item {
  let left = share * items.reduce((sum, { weight }) => sum + weight, 0)
  return items.find(({ weight }) => (left -= weight) < 0) ?? items.at(-1)!
}
