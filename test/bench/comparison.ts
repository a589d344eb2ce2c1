import type { Contender, Generation, Request } from './contender.ts'
import { configurations, NTP, VERIFIED } from './configurations.ts'
import { contenderOf, decodeCounts, type OurEngine, type OurGeneration } from './ours.ts'
import { runPaired, summarise, type Rounds, type Summary } from './paired.ts'
import { bestTrials, SAME_TEXT_MIN, type Trial } from './peers/choose.ts'
import { PEERS, type Candidate, type Peer } from './peers/candidates.ts'
import { startPeer } from './peers/peer-process.ts'
import { median, round } from './statistics.ts'

export interface OurSummary extends Summary {
  readonly tokensPerForward: number
  readonly rowsPerForward: number
}

export interface PeerSummary extends Summary {
  readonly peer: Peer
  /** Format of the weights and threads, the best of those tried. */
  readonly setting: string
  /** Whether its text is that of our ntp often enough to be the same model. */
  readonly sameWeights: boolean
  /** Our verified over it: median of paired tokens/s, and median of first-token times. */
  readonly verifiedSpeedup: number
  readonly verifiedTtftRatio: number
}

export interface Comparison {
  readonly ours: Readonly<Record<string, OurSummary>>
  readonly peers: readonly PeerSummary[]
  /** What each configuration decoded, for predictions. */
  readonly generations: ReadonlyMap<string, Rounds<OurGeneration>>
}

export interface ComparisonOptions {
  readonly engine: OurEngine
  readonly trials: readonly Trial[]
  readonly requests: readonly Request[]
  readonly rounds: number
}

/** All our configurations and the peers' best settings on the same prompts, in turn. */
export async function compare(options: ComparisonOptions): Promise<Comparison> {
  const { engine, requests, rounds } = options
  const ours = configurations(engine.manifest).map(({ name, decoding }) =>
    contenderOf(engine, name, decoding),
  )
  const chosen = bestTrials(options.trials)
  const peers = await Promise.all(chosen.map(({ candidate }) => startPeer(candidate)))
  try {
    const contenders: Contender[] = [...ours, ...peers]
    await runPaired(contenders, requests.slice(0, 2), 1) // warm-up, not counted
    const all = await runPaired<Generation>(contenders, requests, rounds)
    const generations = new Map(
      ours.map(({ name }) => [name, all.get(name) as Rounds<OurGeneration>]),
    )
    return {
      generations,
      ours: Object.fromEntries(
        [...generations].map(([name, own]) => [name, summariseOurs(own, all.get(NTP) ?? [])]),
      ),
      peers: chosen.map(({ candidate }) => summarisePeer(candidate, all)),
    }
  } finally {
    await Promise.all(peers.map((peer) => peer.close()))
  }
}

function summariseOurs(own: Rounds<OurGeneration>, ntp: Rounds<Generation>): OurSummary {
  const { tokensPerForward, rowsPerForward } = decodeCounts(own.flat())
  return {
    ...summarise(own, ntp),
    tokensPerForward: round(tokensPerForward, 3),
    rowsPerForward: round(rowsPerForward, 2),
  }
}

function summarisePeer(
  { name, peer }: Candidate,
  all: ReadonlyMap<string, Rounds<Generation>>,
): PeerSummary {
  const own = all.get(name) ?? []
  const verified = all.get(VERIFIED) ?? []
  const summary = summarise(own, all.get(NTP) ?? [])
  const firsts = (rounds: Rounds<Generation>): number[] => rounds.flat().map(({ ttftMs }) => ttftMs)
  return {
    ...summary,
    peer,
    setting: name.slice(peer.length + 1),
    sameWeights: summary.sameText >= SAME_TEXT_MIN,
    verifiedSpeedup: summarise(verified, own).speedup,
    verifiedTtftRatio: round(median(firsts(verified)) / median(firsts(own)), 3),
  }
}

/** The fastest setting of a peer whose text is ours; undefined if none ran. */
export function bestOf(peers: readonly PeerSummary[], peer?: Peer): PeerSummary | undefined {
  const names: readonly Peer[] = peer === undefined ? PEERS : [peer]
  return peers
    .filter((each) => each.sameWeights && names.includes(each.peer))
    .sort((a, b) => b.tokensPerSecond - a.tokensPerSecond)[0]
}

/** Prompts that `verified` answers token for token as `ntp`. */
export async function countIdentical(
  engine: OurEngine,
  requests: readonly Request[],
): Promise<{ prompts: number; identical: number; tokens: number }> {
  const { defaults } = engine.manifest
  let identical = 0
  let tokens = 0
  for (const request of requests) {
    const ntp = await engine.generate(request, { ...defaults, mode: 'ntp' })
    const verified = await engine.generate(request, { ...defaults, mode: 'verified' })
    if (ntp.tokenIds.join() === verified.tokenIds.join()) identical += 1
    tokens += ntp.tokenIds.length
  }
  return { prompts: requests.length, identical, tokens }
}
