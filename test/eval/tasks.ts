import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import { sameLanguage } from './regular-language.ts'

/** Held-out tasks with one right answer each; written by training/setblock_training/corpus.py. */
export const TASKS = [
  'snips',
  'hwu64',
  'call',
  'regex',
  'scan',
  'order',
  'math',
  'sort',
  'json',
  'copy',
  'story',
] as const

export type Task = (typeof TASKS)[number]

/** Open prose has no right answer: it only shows what block decoding gains there. */
export const STORY_PROMPTS = [
  'Tell me a story about a cat, boat.',
  'Write a short story with garden, rain.',
  'Write a story about friends, cake.',
  'Tell me a story about forest, lost.',
  'Write a short story with puppy, ball.',
  'Tell me a story about ocean, shell.',
] as const

const rowSchema = z.strictObject({ prompt: z.string(), answer: z.string() })

export interface Item {
  readonly task: Task | 'story'
  readonly prompt: string
  /** Undefined for stories. */
  readonly answer?: string
}

export async function readItems(task: Task, rows: number): Promise<Item[]> {
  const text = await readFile(new URL(`tasks/${task}.jsonl`, import.meta.url), 'utf8')
  const lines = text.trim().split('\n').slice(0, rows)
  return lines.map((line) => ({ task, ...rowSchema.parse(JSON.parse(line)) }))
}

/** Tasks whose answers are JSON. */
export const JSON_TASKS: readonly Task[] = ['snips', 'hwu64', 'call', 'order', 'json', 'copy']

/**
 * Exact match. JSON answers are compared by value, because the order of keys means nothing; of a
 * sum only the last sentence counts, because there are many ways to work it out.
 */
export function isRight({ task, answer = '' }: Item, text: string): boolean {
  if (task === 'math') return lastSentence(answer) === lastSentence(text)
  const [wanted, given] = [canonical(answer), canonical(text)]
  return wanted !== undefined && given !== undefined ? wanted === given : answer === text.trim()
}

/** Whether the text is JSON at all; undefined where the task does not ask for it. */
export function isValidJson({ task }: Item, text: string): boolean | undefined {
  const wanted = (JSON_TASKS as readonly string[]).includes(task)
  return wanted ? canonical(text) !== undefined : undefined
}

/** Whether the intent alone is right; undefined where the task has none. */
export function hasRightIntent({ task, answer = '' }: Item, text: string): boolean | undefined {
  if (task !== 'snips' && task !== 'hwu64') return undefined
  const wanted = intentOf(answer)
  return wanted !== undefined && wanted === intentOf(text)
}

/** Whether the answer stands for the right language, however written; undefined where it is no regular expression. */
export function hasSameLanguage({ task, answer = '' }: Item, text: string): boolean | undefined {
  if (task !== 'regex') return undefined
  return answer === text.trim() || sameLanguage(answer, text.trim()) === true
}

function intentOf(text: string): unknown {
  try {
    return (JSON.parse(text) as { intent?: unknown } | null)?.intent
  } catch {
    return undefined
  }
}

function lastSentence(text: string): string {
  return text.trim().split('. ').at(-1) ?? ''
}

function canonical(text: string): string | undefined {
  try {
    return JSON.stringify(sortKeys(JSON.parse(text)))
  } catch {
    return undefined
  }
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys)
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortKeys(inner)]))
}
