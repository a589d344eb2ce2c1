import type { Decoding } from '@setblock/shared'
import { NTP } from './configurations.ts'
import { blocksMs, speedupOf, timeOf, type Curves } from './cost-model.ts'
import { decodeCounts, type OurGeneration } from './ours.ts'
import type { Rounds } from './paired.ts'
import { columnMedians, round, sum } from './statistics.ts'

/** Share by which a measured speed-up may leave its prediction before it needs a reason. */
export const DIFFERENCE_MAX = 0.15

/** A mode's speed-up over ntp while decoding, the forwards with the prompts left out on both sides. */
export interface Prediction {
  readonly name: string
  /** Null for verified, which has no blocks. */
  readonly forwardsPerBlock: number | null
  /** As if every block were decoded to its end. */
  readonly equation16: number | null
  /** From t(rows) and the blocks, forwards and rows that were counted. */
  readonly counted: number
  readonly measured: number
  /** measured / counted - 1 */
  readonly difference: number
  /** Milliseconds of a step beyond t(rows): of ntp, and of this mode. */
  readonly besidesMs: { readonly ntp: number; readonly own: number }
  /** Counted, with ntp's besides added to every forward of both. */
  readonly countedWithBesides: number
}

export function predict(
  { name, decoding }: { name: string; decoding: Decoding },
  curves: Curves,
  measured: ReadonlyMap<string, Rounds<OurGeneration>>,
): Prediction {
  const own = measured.get(name) ?? []
  const ntp = measured.get(NTP) ?? []
  const [generations = []] = own
  const [base = []] = ntp
  const forwards = sum(generations.map(({ usage }) => usage.forwardPasses.decode - 1))
  const steps = sum(base.map(({ usage }) => usage.forwardPasses.decode - 1))
  const times = decoding.mode === 'sbd' ? blockCounts(generations) : undefined
  const ownMs =
    times === undefined
      ? forwards * timeOf(curves.own, decodeCounts(generations).rowsPerForward)
      : blocksMs(curves.own, decoding.blockLength, times.decoded)
  // Tokens of this mode one by one: sbd's text is not always ntp's.
  const tokens = sum(generations.map(({ tokenIds }) => tokenIds.length - 1))
  const oneByOneMs = tokens * timeOf(curves.ntp, 1)
  const counted = oneByOneMs / ownMs
  const [ownDecodeMs, ntpDecodeMs] = [decodeMs(own), decodeMs(ntp)]
  const speedup = tokens / ownDecodeMs / (steps / ntpDecodeMs)
  const besides = ntpDecodeMs / steps - timeOf(curves.ntp, 1)
  return {
    name,
    forwardsPerBlock: times === undefined ? null : round(times.forwardsPerBlock, 3),
    equation16:
      times === undefined
        ? null
        : round(speedupOf(curves, { blockLength: decoding.blockLength, ...times }), 3),
    counted: round(counted, 3),
    measured: round(speedup, 3),
    difference: round(speedup / counted - 1, 3),
    besidesMs: { ntp: round(besides, 4), own: round((ownDecodeMs - ownMs) / forwards, 4) },
    countedWithBesides: round((oneByOneMs + tokens * besides) / (ownMs + forwards * besides), 3),
  }
}

function blockCounts(generations: readonly OurGeneration[]) {
  const decoded = generations.map(({ blocks, usage }) => ({
    blocks,
    forwards: usage.forwardPasses.decode,
  }))
  const blocks = sum(decoded.map((each) => each.blocks))
  return { decoded, forwardsPerBlock: sum(decoded.map(({ forwards }) => forwards)) / blocks }
}

/** From the first event to the last, all requests together; medians over rounds. */
function decodeMs(rounds: Rounds<OurGeneration>): number {
  const times = rounds.map((generations) =>
    generations.map(({ wallMs, ttftMs }) => wallMs - ttftMs),
  )
  return sum(columnMedians(times))
}
