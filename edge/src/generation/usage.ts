import type { TextUsage } from '../text/text-events.ts'

/**
 * What several answers to one prompt cost together. The prompt counts once, as in OpenAI's API;
 * forwards and times are those of all jobs; the wait and the entropy bound are the largest.
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
  const bounds = usages.flatMap(({ effectiveGamma }) => effectiveGamma ?? [])
  return {
    promptTokens: first.promptTokens,
    cachedTokens: first.cachedTokens,
    completionTokens,
    forwardPasses: { prefill: sumKnown((usage) => usage.forwardPasses.prefill), decode },
    tokensPerForward: decode === 0 ? 0 : completionTokens / decode,
    queueMs: Math.max(...usages.map(({ queueMs }) => queueMs)),
    prefillMs: sumKnown((usage) => usage.prefillMs),
    decodeMs: sumKnown((usage) => usage.decodeMs),
    effectiveGamma: bounds.length === 0 ? null : Math.max(...bounds),
  }
}
