import { runPaired, summarise, type Summary } from '../paired.ts'
import type { Contender, Request } from '../contender.ts'
import { PEERS, type Candidate } from './candidates.ts'
import { startPeer } from './peer-process.ts'

/** Share of texts that must be those of our ntp for a format to count as the same model. */
export const SAME_TEXT_MIN = 0.9

export interface Trial {
  readonly candidate: Candidate
  readonly summary: Summary
}

/** Runs every candidate on a few requests in turn with our ntp; processes live no longer than that. */
export async function tryCandidates(
  candidates: readonly Candidate[],
  ntp: Contender,
  requests: readonly Request[],
): Promise<Trial[]> {
  const trials: Trial[] = []
  for (const candidate of candidates) {
    const peer = await startPeer(candidate)
    await peer.generate(requests[0] as Request)
    const results = await runPaired<Awaited<ReturnType<Contender['generate']>>>(
      [ntp, peer],
      requests,
      1,
    )
    await peer.close()
    const own = results.get(peer.name) ?? []
    trials.push({ candidate, summary: summarise(own, results.get(ntp.name) ?? []) })
  }
  return trials
}

/** Per peer the fastest setting that keeps the text, and the fastest of all if that is another. */
export function bestTrials(trials: readonly Trial[]): Trial[] {
  return PEERS.flatMap((peer) => {
    const own = trials.filter(({ candidate }) => candidate.peer === peer)
    const faithful = fastest(own.filter(({ summary }) => summary.sameText >= SAME_TEXT_MIN))
    const any = fastest(own)
    return [...new Set([faithful, any])].filter((trial) => trial !== undefined)
  })
}

function fastest(trials: readonly Trial[]): Trial | undefined {
  return [...trials].sort((a, b) => b.summary.tokensPerSecond - a.summary.tokensPerSecond)[0]
}
