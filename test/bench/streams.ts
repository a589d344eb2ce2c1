import type { Decoding } from '@setblock/shared'
import type { Request } from './contender.ts'
import { gapsOf, type OurEngine, type OurGeneration } from './ours.ts'
import { median, round, sum, unevenness } from './statistics.ts'

/** Gaps that a stream must have for its longest one to mean something. */
const GAPS_MIN = 20

export interface StreamSummary {
  /** All streams together, while all of them were busy. */
  readonly tokensPerSecond: number
  readonly medianGapMs: number
}

/** `streams` clients, each of which takes the next request as soon as it is done. */
async function serve(
  engine: OurEngine,
  decoding: Decoding,
  { requests, streams }: { requests: readonly Request[]; streams: number },
): Promise<{ generations: OurGeneration[]; busyMs: { from: number; to: number } }> {
  const waiting = [...requests]
  const generations: OurGeneration[] = []
  const from = performance.now()
  let to = 0
  const client = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      generations.push(await engine.generate(next, decoding))
    }
    if (to === 0) to = performance.now()
  }
  await Promise.all(Array.from({ length: streams }, client))
  return { generations, busyMs: { from, to } }
}

/** Total throughput up to the moment when the first client finds nothing more to do. */
export async function measureStreams(
  engine: OurEngine,
  decoding: Decoding,
  load: { requests: readonly Request[]; streams: number },
): Promise<StreamSummary> {
  const { generations, busyMs } = await serve(engine, decoding, load)
  const tokens = generations
    .flatMap(({ arrivals }) => arrivals)
    .filter(({ atMs }) => atMs <= busyMs.to)
    .map((arrival) => arrival.tokens)
  return {
    tokensPerSecond: (1000 * sum(tokens)) / (busyMs.to - busyMs.from),
    medianGapMs: median(generations.flatMap(gapsOf)),
  }
}

export interface Evenness {
  readonly streams: number
  readonly longStreams: number
  readonly medianGapMs: number
  readonly longestGapMs: number
  /** Longest over median gap of a stream: the middle stream's and the worst one's. */
  readonly unevenness: { readonly median: number; readonly worst: number }
  /** Share of streams with a gap above five times their median. */
  readonly above5: number
}

/** Gaps of long streams among which others come and go. */
export async function measureEvenness(
  engine: OurEngine,
  decoding: Decoding,
  load: { requests: readonly Request[]; streams: number },
): Promise<Evenness> {
  const { generations } = await serve(engine, decoding, load)
  const gaps = generations.map(gapsOf).filter(({ length }) => length >= GAPS_MIN)
  const ratios = gaps.map(unevenness)
  return {
    streams: load.streams,
    longStreams: gaps.length,
    medianGapMs: round(median(gaps.flat()), 3),
    longestGapMs: round(Math.max(...gaps.flat()), 3),
    unevenness: { median: round(median(ratios), 2), worst: round(Math.max(...ratios), 2) },
    above5: round(ratios.filter((ratio) => ratio > 5).length / ratios.length, 3),
  }
}
