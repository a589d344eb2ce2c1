import { seededRandom } from '../../gpu-worker/src/testing/seeded-random.ts'
import { readItems, TASKS } from '../eval/tasks.ts'
import type { Request } from './contender.ts'

/** Order of the rows that are drawn, and of every shuffle. */
export const SEED = 1

export const ANSWER_TOKENS_MAX = 200
const ROWS_PER_TASK = 100

export type EncodeChat = (messages: { role: 'user'; content: string }[]) => number[]

export interface PromptLimits {
  readonly contextLength: number
  readonly eosTokenIds: readonly number[]
}

/** The request of a real prompt, which the edge can be asked in text. */
export interface TaskRequest extends Request {
  readonly prompt: string
}

/** Held-out prompts of all tasks in a seeded order, as many of each task, as greedy requests. */
export async function taskRequests(
  count: number,
  encodeChat: EncodeChat,
  limits: PromptLimits,
): Promise<TaskRequest[]> {
  const random = seededRandom(SEED)
  const perTask = await Promise.all(TASKS.map((task) => readItems(task, ROWS_PER_TASK)))
  const decks = perTask.map((items) => shuffled(items, random))
  const dealt = Array.from({ length: ROWS_PER_TASK }, (_, row) =>
    decks.flatMap((deck) => deck.slice(row, row + 1)),
  ).flat()
  if (dealt.length < count) throw new Error(`there are ${dealt.length} prompts, not ${count}`)
  return dealt.slice(0, count).map(({ prompt }) => promptRequest(prompt, encodeChat, limits))
}

export function promptRequest(
  prompt: string,
  encodeChat: EncodeChat,
  { contextLength, eosTokenIds }: PromptLimits,
): TaskRequest {
  const tokenIds = encodeChat([{ role: 'user', content: prompt }])
  const maxTokens = Math.min(ANSWER_TOKENS_MAX, contextLength - tokenIds.length)
  return { prompt, tokenIds, maxTokens, stopTokenIds: eosTokenIds }
}

/** A prompt of any ids, for models whose weights mean nothing; runs to its full length. */
export function randomRequest(
  {
    length,
    maxTokens,
    vocabularySize,
  }: { length: number; maxTokens: number; vocabularySize: number },
  seed: number = SEED,
): Request {
  const random = seededRandom(seed)
  const RESERVED_IDS = 8
  const draw = (): number => RESERVED_IDS + Math.floor(random() * (vocabularySize - RESERVED_IDS))
  return { tokenIds: Array.from({ length }, draw), maxTokens, stopTokenIds: [] }
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const left = [...items]
  return items.map(() => left.splice(Math.floor(random() * left.length), 1)[0] as T)
}
