import type { Rule } from '@setblock/shared'

/** A masked position that may be revealed in this step. */
export interface Candidate {
  readonly index: number
  /** Nats. */
  readonly entropy: number
}

export interface RevealChoice {
  readonly rule: Rule
  /** Entropy bound in nats; for `threshold` the bound of each single token. */
  readonly gamma: number
  /** Still-masked positions. */
  readonly candidates: readonly Candidate[]
  /** Entropy of a token that this step reveals anyway (the block's first, from the causal logits). */
  readonly seedEntropy?: number
}

/**
 * The candidates to reveal in this step, as positions in ascending order of entropy. Without a seed at least one.
 *
 * - `entropy-bound`: arXiv 2509.04185 Eq. 8: the largest set of lowest entropies with sum - max <= gamma.
 * - `strict`: as above with sum <= gamma, so that no token rides free.
 * - `threshold`: every candidate with H < gamma; nothing accumulates.
 *
 * A seed is a member of the set: its entropy counts like any other, but it is revealed whatever it costs.
 */
export function chooseReveals(choice: RevealChoice): number[] {
  const ordered = [...choice.candidates].sort((a, b) => a.entropy - b.entropy || a.index - b.index)
  const fitting = ordered.slice(0, countFitting(choice, ordered))
  const least = choice.seedEntropy === undefined ? ordered.slice(0, 1) : []
  return (fitting.length > 0 ? fitting : least).map((candidate) => candidate.index)
}

/** Length of the longest prefix of `ordered` (ascending entropy) that the rule allows. */
function countFitting(choice: RevealChoice, ordered: readonly Candidate[]): number {
  let sum = choice.seedEntropy ?? 0
  let largest = choice.seedEntropy ?? 0
  let count = 0
  for (const { entropy } of ordered) {
    sum += entropy
    largest = Math.max(largest, entropy)
    if (!fits(choice, { sum, largest, entropy })) break
    count += 1
  }
  return count
}

function fits(
  choice: RevealChoice,
  set: { sum: number; largest: number; entropy: number },
): boolean {
  switch (choice.rule) {
    case 'entropy-bound':
      return set.sum - set.largest <= choice.gamma
    case 'strict':
      return set.sum <= choice.gamma
    case 'threshold':
      return set.entropy < choice.gamma
  }
}
