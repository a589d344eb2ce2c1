import type { Decoded, EvalModel } from '../decode.ts'
import type { Scorer } from './scorer.ts'
import { STORY_PROMPTS } from '../tasks.ts'
import type { Setting } from './settings.ts'

const STORY_TOKENS = 150

/** Open prose under one setting, all prompts together. */
export interface StoryMeasured {
  tokens: number
  forwards: number
  wallMs: number
  /** Of the generated text, as the causal reading of the same model sees it. */
  perplexity: number
  /** Different words, and pairs of words, over all of a text; mean of the texts. 1: nothing repeats. */
  distinct1: number
  distinct2: number
}

export async function measureStories(
  model: EvalModel,
  scorer: Scorer,
  settings: readonly Setting[],
): Promise<Record<string, StoryMeasured>> {
  const measured: Record<string, StoryMeasured> = {}
  for (const { name, decoding } of settings) {
    const stories: { decoded: Decoded; nats: number }[] = []
    for (const prompt of STORY_PROMPTS) {
      const decoded = await model.decode(prompt, decoding, STORY_TOKENS)
      stories.push({ decoded, nats: await scorer.nats(prompt, decoded.tokenIds) })
    }
    const sum = (value: (story: (typeof stories)[number]) => number): number =>
      stories.reduce((total, story) => total + value(story), 0)
    const tokens = sum(({ decoded }) => decoded.tokenIds.length)
    const texts = stories.map(({ decoded }) => decoded.text)
    measured[name] = {
      tokens,
      forwards: sum(({ decoded }) => decoded.forwards),
      wallMs: Math.round(sum(({ decoded }) => decoded.wallMs)),
      perplexity: round(Math.exp(sum(({ nats }) => nats) / tokens)),
      distinct1: round(distinct(texts, 1)),
      distinct2: round(distinct(texts, 2)),
    }
  }
  return measured
}

/** Different n-grams of words over all n-grams, text by text, then the mean over the texts. */
export function distinct(texts: readonly string[], n: number): number {
  const shares = texts.map((text) => {
    const words = text.toLowerCase().match(/[\p{L}\p{N}']+/gu) ?? []
    const count = words.length - n + 1
    const grams = Array.from({ length: Math.max(0, count) }, (_, i) =>
      words.slice(i, i + n).join(' '),
    )
    return grams.length === 0 ? 1 : new Set(grams).size / grams.length
  })
  return shares.reduce((total, share) => total + share, 0) / shares.length
}

function round(value: number): number {
  return Number(value.toFixed(3))
}
