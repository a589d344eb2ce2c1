import type { TokenLogprobs } from '@setblock/shared'
import { TOP_CANDIDATES, type ForwardRows, type RowResults } from './rows.ts'

/** What reveals carry beside their tokens; of the raw distribution whatever the sampling. */
export interface Report {
  readonly entropies: boolean
  /** The log probability of each token and of this many of the most likely ones. */
  readonly logprobs?: number | undefined
}

/** A revealed token and the row of the results that it came from; undefined where a grammar left no choice. */
export interface RevealedRow {
  readonly row: number | undefined
  readonly tokenId: number
}

export interface Reported {
  readonly entropies?: number[]
  readonly logprobs?: TokenLogprobs[]
}

/** Rows whose entropies and log probabilities the engine must give: all for the sake of a report, else those of the mode. */
export function entropiesFor(
  { entropies, logprobs }: Report,
  ofMode: ForwardRows['entropies'],
): ForwardRows['entropies'] {
  return entropies || logprobs !== undefined ? 'all' : ofMode
}

/** The report of one reveal, token by token. */
export function reportOn(
  report: Report,
  results: RowResults,
  revealed: readonly RevealedRow[],
): Reported {
  const { entropies: wanted, logprobs: count } = report
  return {
    ...(wanted && { entropies: revealed.map(({ row }) => entropyOf(results, row)) }),
    ...(count !== undefined && {
      logprobs: revealed.map((token) => tokenLogprobs(results, token, count)),
    }),
  }
}

/** Rounding in the graph may push a certain token's figures past the end of their range. */
function entropyOf(results: RowResults, row: number | undefined): number {
  if (row === undefined) return 0
  return Math.max(0, results.entropies?.[row] ?? 0)
}

function tokenLogprobs(
  results: RowResults,
  { row, tokenId }: RevealedRow,
  count: number,
): TokenLogprobs {
  if (row === undefined) return { logprob: 0, top: [] }
  const top = topLogprobs(results, row)
  const best = Math.min(0, results.logprobs?.[row] ?? 0)
  const chosen = top.find((candidate) => candidate.tokenId === tokenId)
  // A grammar may have led to a token that is less likely than every candidate.
  const unknown = top.at(-1)?.logprob ?? best
  return { logprob: chosen?.logprob ?? unknown, top: top.slice(0, count) }
}

/** Every candidate of a row, most likely first; none where no top logits were asked for. */
function topLogprobs(results: RowResults, row: number): { tokenId: number; logprob: number }[] {
  const { topIds, topLogits } = results
  if (topIds === undefined || topLogits === undefined) return []
  const first = row * TOP_CANDIDATES
  const best = results.logprobs?.[row] ?? 0
  return Array.from(topIds.subarray(first, first + TOP_CANDIDATES), (tokenId, rank) => {
    const behind = (topLogits[first + rank] as number) - (topLogits[first] as number)
    return { tokenId, logprob: Math.min(0, best + behind) }
  })
}
