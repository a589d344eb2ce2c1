import type { Rule } from '@setblock/shared'

/** The rules that reveal positions of a block in any order; `prefix` does not. */
export type SetRule = Exclude<Rule, 'prefix'>

/** A masked position that may be revealed in this step. */
export interface Candidate {
  readonly index: number
  /** Nats, of the distribution at the position. */
  readonly entropy: number
  /** Nats, -log of the probability of the token that would be revealed. */
  readonly surprise: number
}

export interface RevealChoice {
  readonly rule: SetRule
  /** Entropy bound in nats; for `threshold` and `confidence` the bound of each single token. */
  readonly gamma: number
  /** Still-masked positions. */
  readonly candidates: readonly Candidate[]
  /** Entropy of a token that this step reveals anyway (the block's first, from the causal logits). */
  readonly seedEntropy?: number
  /** Candidates to reveal whatever they cost; a latency budget asks for them. */
  readonly atLeast?: number
}

export interface Reveals {
  /** Positions in ascending order of what they cost. */
  readonly indices: readonly number[]
  /** Nats: `gamma`, or the least bound that allows these positions where `atLeast` went beyond it. */
  readonly gamma: number
  /** How many of them the rule itself allows. */
  readonly byRule: number
}

/**
 * The candidates to reveal in this step. Without a seed at least one.
 *
 * - `entropy-bound`: arXiv 2509.04185 Eq. 8: the largest set of lowest entropies with sum - max <= gamma.
 * - `strict`: as above with sum <= gamma, so that no token rides free.
 * - `threshold`: every candidate with H < gamma; nothing accumulates.
 * - `confidence`: every candidate whose token has a probability of at least exp(-gamma).
 *
 * A seed is a member of the set: its entropy counts like any other, but it is revealed whatever it costs.
 */
export function chooseReveals(choice: RevealChoice): Reveals {
  const { rule, gamma, candidates, seedEntropy, atLeast = 0 } = choice
  const proxy = ({ entropy, surprise }: Candidate): number =>
    rule === 'confidence' ? surprise : entropy
  const ordered = [...candidates].sort((a, b) => proxy(a) - proxy(b) || a.index - b.index)
  const bounds = boundsOf(choice, ordered.map(proxy))
  const fitting = bounds.findIndex((bound) => !fits(rule, bound, gamma))
  const least = seedEntropy === undefined ? 1 : 0
  const within = Math.max(fitting === -1 ? ordered.length : fitting, least)
  const count = Math.min(Math.max(within, atLeast), ordered.length)
  return {
    indices: ordered.slice(0, count).map(({ index }) => index),
    gamma: count > within ? Math.max(gamma, bounds[count - 1] as number) : gamma,
    byRule: Math.min(within, count),
  }
}

/** For each prefix of the ascending `costs`: the bound that the rule compares with gamma. Never falls. */
function boundsOf({ rule, seedEntropy }: RevealChoice, costs: readonly number[]): number[] {
  let sum = seedEntropy ?? 0
  let largest = seedEntropy ?? 0
  return costs.map((cost) => {
    sum += cost
    largest = Math.max(largest, cost)
    switch (rule) {
      case 'entropy-bound':
        return sum - largest
      case 'strict':
        return sum
      case 'threshold':
      case 'confidence':
        return cost
    }
  })
}

function fits(rule: SetRule, bound: number, gamma: number): boolean {
  return rule === 'threshold' ? bound < gamma : bound <= gamma
}
