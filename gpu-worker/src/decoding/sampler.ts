import { limits, type Sampling } from '@setblock/shared'
import { uniform } from './rng.ts'
import { TOP_CANDIDATES, type RowResults } from './rows.ts'

export interface Distribution {
  readonly ids: readonly number[]
  /** Same length, descending, sums to 1. */
  readonly probabilities: readonly number[]
  /** Nats, of this transformed distribution. */
  readonly entropy: number
}

/** Temperature, then top-k, then top-p over a row's top candidates (descending logits). Temperature must be above 0. */
export function transform(ids: Int32Array, logits: Float32Array, sampling: Sampling): Distribution {
  const kept = sampling.topK > 0 ? Math.min(sampling.topK, ids.length) : ids.length
  const best = logits[0] ?? 0
  const weights = Array.from(logits.subarray(0, kept), (z) =>
    Math.exp((z - best) / sampling.temperature),
  )
  const nucleus = nucleusSize(weights, sampling.topP)
  const total = weights.slice(0, nucleus).reduce((sum, weight) => sum + weight, 0)
  const probabilities = weights.slice(0, nucleus).map((weight) => weight / total)
  const entropy = probabilities.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0)
  return { ids: Array.from(ids.subarray(0, nucleus)), probabilities, entropy }
}

/** Smallest number of leading weights whose share of the total reaches topP. */
function nucleusSize(weights: readonly number[], topP: number): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  let covered = 0
  for (const [index, weight] of weights.entries()) {
    covered += weight
    if (covered >= topP * total) return index + 1
  }
  return weights.length
}

/** Inverse-transform draw for `u` in [0, 1). */
export function draw(distribution: Distribution, u: number): number {
  return distribution.ids[drawIndex(distribution, u)] as number
}

function drawIndex({ probabilities }: Distribution, u: number): number {
  let covered = 0
  for (const [index, probability] of probabilities.entries()) {
    covered += probability
    if (u < covered) return index
  }
  return probabilities.length - 1
}

/** A token with what the distribution it was taken from says of it. */
export interface Pick {
  readonly tokenId: number
  /** Nats, of the distribution; 0 where neither entropies nor top logits were asked for. */
  readonly entropy: number
  /** Nats: -log of the token's own probability; 0 where the entropy is. */
  readonly surprise: number
}

/**
 * The token of row `row` for sequence position `position`. Greedy at temperature 0 (figures of the raw softmax); else
 * drawn from the transformed distribution, whose figures are those the reveal rule must see.
 */
export function pick(results: RowResults, row: number, position: number, sampling: Sampling): Pick {
  if (sampling.temperature === 0) {
    return {
      tokenId: results.ids[row] as number,
      entropy: results.entropies?.[row] ?? 0,
      surprise: -(results.logprobs?.[row] ?? 0),
    }
  }
  const { ids, logits } = candidatesOf(results, row)
  const distribution = transform(ids, logits, sampling)
  return pickOf(distribution, drawIndex(distribution, uniform(sampling.seed, position)))
}

function pickOf({ ids, entropy, probabilities }: Distribution, index: number): Pick {
  const surprise = -Math.log(probabilities[index] as number)
  return { tokenId: ids[index] as number, entropy, surprise }
}

/** Token ids and raw logits of the candidates of a row, by descending logit. */
function candidatesOf({ topIds, topLogits }: RowResults, row: number) {
  if (topIds === undefined || topLogits === undefined) {
    throw new Error('choosing needs the top logits of the row')
  }
  const [start, end] = [row * TOP_CANDIDATES, (row + 1) * TOP_CANDIDATES]
  return { ids: topIds.subarray(start, end), logits: topLogits.subarray(start, end) }
}

/** Leaves a distribution as the model gave it. */
const UNCHANGED: Sampling = { temperature: 1, topP: 1, topK: 0, seed: 0 }

/** The tokens that may be picked, and what to take if none of the candidates is one. */
export interface AllowedPick {
  readonly sampling: Sampling
  readonly allows: (tokenId: number) => boolean
  readonly otherwise: () => number
  /** Whether entropy and surprise are wanted; they take a look at every candidate. */
  readonly figures: boolean
}

/**
 * As pick(), among the candidates of the row that are allowed; figures are of the distribution over these alone. Where
 * none is, the token is not the model's choice, and its figures are beyond every bound.
 */
export function pickAllowed(
  results: RowResults,
  row: number,
  position: number,
  { sampling, allows, otherwise, figures }: AllowedPick,
): Pick {
  const { ids, logits } = candidatesOf(results, row)
  if (sampling.temperature === 0 && !figures) {
    const tokenId = ids.find((id) => allows(id)) ?? otherwise()
    return { tokenId, entropy: 0, surprise: 0 }
  }
  const kept = [...ids.keys()].filter((rank) => allows(ids[rank] as number))
  if (kept.length === 0) {
    return { tokenId: otherwise(), entropy: limits.gammaMax, surprise: limits.gammaMax }
  }
  const keptIds = Int32Array.from(kept, (rank) => ids[rank] as number)
  const keptLogits = Float32Array.from(kept, (rank) => logits[rank] as number)
  const greedy = sampling.temperature === 0
  const distribution = transform(keptIds, keptLogits, greedy ? UNCHANGED : sampling)
  const index = greedy ? 0 : drawIndex(distribution, uniform(sampling.seed, position))
  return pickOf(distribution, index)
}
