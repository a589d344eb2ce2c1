import { pairedDifference, type Difference } from './bootstrap.ts'
import type { Decoded } from './decode.ts'
import { hasRightIntent, hasSameLanguage, isRight, isValidJson, type Item } from './tasks.ts'

export interface Outcome {
  readonly item: Item
  readonly decoded: Decoded
  /** The same prompt decoded in the same turn by what all is compared with: `ntp`, of this model or another. */
  readonly baseline: Decoded
}

export interface Summary {
  readonly accuracy: number | null
  /** Of the accuracy from the baseline's on the same rows, with its 95 % interval. */
  readonly difference: Difference | null
  /** Share of right intents; null where no task has any. */
  readonly intent: number | null
  /** Share of regular expressions for the right language, however written; null where no task has any. */
  readonly language: number | null
  /** Share of answers that are JSON, among those that should be; null where none should. */
  readonly validJson: number | null
  /** Answers that are token for token the baseline's. */
  readonly identical: number
  readonly tokens: number
  readonly forwards: number
  readonly tokensPerForward: number
  readonly tokensPerSecond: number
  readonly wallMs: number
  /** Median over prompts of the baseline's wall time over this one's, both measured in the same turn. */
  readonly speedup: number
}

export function summarise(outcomes: readonly Outcome[]): Summary {
  const sum = (value: (outcome: Outcome) => number): number =>
    outcomes.reduce((total, outcome) => total + value(outcome), 0)
  const scored = outcomes.filter(({ item }) => item.answer !== undefined)
  const right = scored.map(({ item, decoded }) => isRight(item, decoded.text))
  const rightBefore = scored.map(({ item, baseline }) => isRight(item, baseline.text))
  const intents = scored.map(({ item, decoded }) => hasRightIntent(item, decoded.text))
  const languages = scored.map(({ item, decoded }) => hasSameLanguage(item, decoded.text))
  const json = scored.map(({ item, decoded }) => isValidJson(item, decoded.text))
  const tokens = sum(({ decoded }) => decoded.tokenIds.length)
  const forwards = sum(({ decoded }) => decoded.forwards)
  const wallMs = sum(({ decoded }) => decoded.wallMs)
  const identical = sum(({ decoded, baseline }) => (isSame(decoded, baseline) ? 1 : 0))
  const ratios = outcomes.map(({ decoded, baseline }) => baseline.wallMs / decoded.wallMs)
  return {
    accuracy: share(right),
    difference: scored.length === 0 ? null : rounded(pairedDifference(rightBefore, right)),
    intent: share(intents),
    language: share(languages),
    validJson: share(json),
    identical: round(identical / outcomes.length, 4),
    tokens,
    forwards,
    tokensPerForward: round(tokens / forwards, 3),
    tokensPerSecond: round((tokens / wallMs) * 1000, 1),
    wallMs: round(wallMs, 0),
    speedup: round(median(ratios), 3),
  }
}

/** Share of true among what is not undefined. */
export function share(values: readonly (boolean | undefined)[]): number | null {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? null : round(known.filter(Boolean).length / known.length, 4)
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2
}

function isSame(a: Decoded, b: Decoded): boolean {
  return (
    a.tokenIds.length === b.tokenIds.length && a.tokenIds.every((id, i) => id === b.tokenIds[i])
  )
}

function rounded({ mean, low, high }: Difference): Difference {
  return { mean: round(mean, 4), low: round(low, 4), high: round(high, 4) }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
