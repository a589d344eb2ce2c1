import { setTimeout as sleep } from 'node:timers/promises'
import type { Contender, Generation, Request } from './contender.ts'
import { columnMedians, median, pairedRatio, round, sum } from './statistics.ts'

/** Between two generations: lets threads that still spin for the last one come to rest. */
const PAUSE_MS = 5

/** [round][request] */
export type Rounds<Result extends Generation> = readonly (readonly Result[])[]

/**
 * Every request by every contender, `rounds` times. The contenders take turns at each request, and who begins moves on
 * with every turn: a slow moment of the machine, or a warm cache, favours none of them.
 */
export async function runPaired<Result extends Generation>(
  contenders: readonly Contender<Result>[],
  requests: readonly Request[],
  rounds: number,
): Promise<Map<string, Rounds<Result>>> {
  const results = new Map(
    contenders.map(({ name }) => [name, Array.from({ length: rounds }, (): Result[] => [])]),
  )
  let turn = 0
  for (let index = 0; index < rounds; index++) {
    for (const request of requests) {
      for (const at of contenders.keys()) {
        const contender = contenders[(at + turn) % contenders.length] as Contender<Result>
        await sleep(PAUSE_MS)
        const result = await contender.generate(request)
        results.get(contender.name)?.[index]?.push(result)
      }
      turn += 1
    }
  }
  return results
}

export interface Summary {
  /** All tokens over all time, prompts included. */
  readonly tokensPerSecond: number
  /** Tokens after the first event over the time since. */
  readonly decodeTokensPerSecond: number
  /** Median over requests. */
  readonly ttftMs: number
  /** Share of requests whose token ids are the baseline's. */
  readonly sameText: number
  /** Median over requests of tokens/s over the baseline's. */
  readonly speedup: number
}

/** Times are medians over rounds, request by request. */
export function summarise(results: Rounds<Generation>, baseline: Rounds<Generation>): Summary {
  const own = perRequest(results)
  const base = perRequest(baseline)
  const same = own.filter(({ ids }, index) => ids === base[index]?.ids).length
  const rate = ({ tokens, wallMs }: PerRequest): number => tokens / wallMs
  const tokens = sum(own.map((each) => each.tokens))
  const decodeMs = sum(own.map(({ wallMs, ttftMs }) => wallMs - ttftMs))
  return {
    tokensPerSecond: round((1000 * tokens) / sum(own.map(({ wallMs }) => wallMs)), 1),
    decodeTokensPerSecond: round((1000 * (tokens - own.length)) / decodeMs, 1),
    ttftMs: round(median(own.map(({ ttftMs }) => ttftMs)), 3),
    sameText: round(same / own.length, 4),
    speedup: round(pairedRatio(own.map(rate), base.map(rate)), 3),
  }
}

interface PerRequest {
  readonly ids: string
  readonly tokens: number
  readonly ttftMs: number
  readonly wallMs: number
}

/** Greedy text does not change between rounds; times do. */
function perRequest(rounds: Rounds<Generation>): PerRequest[] {
  const times = (of: (generation: Generation) => number): number[] =>
    columnMedians(rounds.map((generations) => generations.map(of)))
  const [ttfts, walls] = [times(({ ttftMs }) => ttftMs), times(({ wallMs }) => wallMs)]
  const [first = []] = rounds
  return first.map(({ tokenIds }, index) => ({
    ids: tokenIds.join(),
    tokens: tokenIds.length,
    ttftMs: ttfts[index] as number,
    wallMs: walls[index] as number,
  }))
}
