import type { TextUsage } from '../text/text-events.ts'

/**
 * What several answers to one prompt cost together. The prompt counts once, as in OpenAI's API;
 * forwards, rows, drafts and times are those of all jobs; the wait is the longest; the entropy
 * bound is the mean over all decode forwards.
 */
export function sumUsage(usages: readonly TextUsage[]): TextUsage {
  const [first] = usages
  if (first === undefined) throw new Error('no usage to sum')
  if (usages.length === 1) return first
  const sum = (read: (usage: TextUsage) => number) =>
    usages.reduce((total, usage) => total + read(usage), 0)
  const sumKnown = (read: (usage: TextUsage) => number | null) =>
    usages.some((usage) => read(usage) === null) ? null : sum((usage) => read(usage) ?? 0)
  const completionTokens = sum((usage) => usage.completionTokens)
  const decode = sum((usage) => usage.forwardPasses.decode)
  const gammaSum = sumKnown(({ effectiveGamma, forwardPasses }) =>
    effectiveGamma === null ? null : effectiveGamma * forwardPasses.decode,
  )
  const rows = usages.flatMap((usage) => usage.rows ?? [])
  const drafts = usages.flatMap((usage) => usage.drafts ?? [])
  return {
    promptTokens: first.promptTokens,
    cachedTokens: first.cachedTokens,
    completionTokens,
    forwardPasses: { prefill: sumKnown((usage) => usage.forwardPasses.prefill), decode },
    tokensPerForward: decode === 0 ? 0 : completionTokens / decode,
    queueMs: Math.max(...usages.map(({ queueMs }) => queueMs)),
    prefillMs: sumKnown((usage) => usage.prefillMs),
    decodeMs: sumKnown((usage) => usage.decodeMs),
    effectiveGamma: gammaSum === null || decode === 0 ? null : gammaSum / decode,
    ...(rows.length === usages.length ? { rows: sumRows(rows) } : {}),
    ...(drafts.length === usages.length ? { drafts: sumDrafts(drafts) } : {}),
  }
}

function sumRows(all: readonly NonNullable<TextUsage['rows']>[]) {
  return all.reduce((sum, { total, wasted }) => ({
    total: sum.total + total,
    wasted: sum.wasted + wasted,
  }))
}

type Counts = Pick<NonNullable<TextUsage['drafts']>, 'drafted' | 'accepted'>

function sumDrafts(all: readonly NonNullable<TextUsage['drafts']>[]) {
  const add = (left: Counts, right: Counts) => ({
    drafted: left.drafted + right.drafted,
    accepted: left.accepted + right.accepted,
  })
  const none = { drafted: 0, accepted: 0 }
  const places = Math.max(...all.map(({ positions }) => positions.length))
  return {
    ...all.reduce<Counts>(add, none),
    positions: Array.from({ length: places }, (_, place) =>
      all.map(({ positions }) => positions[place] ?? none).reduce(add, none),
    ),
  }
}
