import { VERIFIED, NTP } from './configurations.ts'
import type { Contender, Generation } from './contender.ts'
import { timeOf, type RowTimes } from './cost-model.ts'
import { contenderOf, startOurs, type DecodeCounts } from './ours.ts'
import { runPaired, summarise } from './paired.ts'
import { candidatesFor, peersInstalled, type Formats } from './peers/candidates.ts'
import { startPeer, type PeerProcess } from './peers/peer-process.ts'
import { parameterCount, RANDOM_SHAPES, randomModel, type ShapeName } from './random-models.ts'
import { measureRowTimes } from './row-times.ts'
import { round } from './statistics.ts'
import { randomRequest } from './workload.ts'

export const SHAPE_ROW_COUNTS = [1, 8, 16, 32]

export interface ShapeOptions {
  readonly shape: ShapeName
  /** Positions before the tokens that are timed. */
  readonly contexts: readonly number[]
  readonly tokens: number
  readonly rounds: number
  readonly formats: Formats
  /** Of the trained model, by configuration: what its drafts would be worth here. */
  readonly acceptance: Readonly<Record<string, DecodeCounts>>
}

export interface ShapeSpeed {
  readonly decodeTokensPerSecond: number
  readonly ttftMs: number
}

export interface ShapeResult {
  readonly shape: ShapeName
  readonly parameters: number
  readonly context: number
  readonly rowsMs: Readonly<Record<string, number>>
  readonly ntp: ShapeSpeed
  /** Decode tokens/s by configuration: not measured, but from this shape's row times and the trained model's acceptance. */
  readonly computed: Readonly<Record<string, number>>
  /** Every setting that was tried, fastest first. */
  readonly peers: readonly (ShapeSpeed & { readonly name: string })[]
  /** Computed verified over the fastest setting of 8 bits or more, and over the fastest of all. */
  readonly verifiedOverPeer: { readonly sameWeights: number | null; readonly any: number | null }
}

/** A model of random weights: what is timed is real, what is decoded is not. */
export async function measureShape(options: ShapeOptions): Promise<ShapeResult[]> {
  const { shape, contexts, tokens, rounds, formats } = options
  const folder = await randomModel(shape)
  const rowTimes = await measureRowTimes(folder, {
    cached: contexts,
    rowCounts: SHAPE_ROW_COUNTS,
    rounds,
  })
  const engine = await startOurs(folder)
  const candidates = peersInstalled ? await candidatesFor(folder, formats) : []
  const peers: PeerProcess[] = []
  for (const candidate of candidates) peers.push(await startPeer(candidate))
  const ntp = contenderOf(engine, NTP, { ...engine.manifest.defaults, mode: 'ntp' })
  const results: ShapeResult[] = []
  try {
    for (const context of contexts) {
      const { vocabularySize } = engine.manifest.architecture
      const request = randomRequest({ length: context, maxTokens: tokens, vocabularySize })
      const contenders: Contender[] = [ntp, ...peers]
      await runPaired<Generation>(contenders, [request], 1)
      const measured = await runPaired<Generation>(contenders, [request], rounds)
      const speeds = new Map([...measured].map(([name, own]) => [name, summarise(own, own)]))
      results.push(toResult(options, { context, times: rowTimes.get(context) as RowTimes, speeds }))
    }
  } finally {
    await Promise.all([engine.close(), ...peers.map((peer) => peer.close())])
  }
  return results
}

interface Measured {
  readonly context: number
  readonly times: RowTimes
  readonly speeds: ReadonlyMap<string, ShapeSpeed>
}

function toResult(options: ShapeOptions, { context, times, speeds }: Measured): ShapeResult {
  const [own, ...others] = [...speeds].map(([name, { decodeTokensPerSecond, ttftMs }]) => ({
    name,
    decodeTokensPerSecond,
    ttftMs,
  }))
  if (own === undefined) throw new Error('nothing was measured')
  const peers = others.sort((a, b) => b.decodeTokensPerSecond - a.decodeTokensPerSecond)
  const computed = Object.fromEntries(
    Object.entries(options.acceptance).map(([name, counts]) => [
      name,
      round(computedRate(times, counts, own.decodeTokensPerSecond), 1),
    ]),
  )
  const verified = computed[VERIFIED] ?? Number.NaN
  const over = (list: typeof peers): number | null => {
    const [fastest] = list
    return fastest === undefined ? null : round(verified / fastest.decodeTokensPerSecond, 3)
  }
  return {
    shape: options.shape,
    parameters: parameterCount(RANDOM_SHAPES[options.shape]),
    context,
    rowsMs: Object.fromEntries([...times].map(([rows, ms]) => [rows, round(ms, 4)])),
    ntp: { decodeTokensPerSecond: own.decodeTokensPerSecond, ttftMs: own.ttftMs },
    computed,
    peers,
    verifiedOverPeer: {
      sameWeights: over(peers.filter(({ name }) => !/q4/.test(name))),
      any: over(peers),
    },
  }
}

/** What a forward costs beside the engine (scheduler, events) is what ntp's measured rate leaves. */
function computedRate(times: RowTimes, counts: DecodeCounts, ntpRate: number): number {
  const besidesMs = Math.max(0, 1000 / ntpRate - timeOf(times, 1))
  return (1000 * counts.tokensPerForward) / (timeOf(times, counts.rowsPerForward) + besidesMs)
}
