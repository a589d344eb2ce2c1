import { JSON_TASKS, isRight, isValidJson, type Item, type Task } from '../tasks.ts'
import type { EvalModel } from '../decode.ts'
import type { Setting } from './settings.ts'

const ANSWER_TOKENS_MAX = 200

/** One setting on all rows of one task. `right` and `validJson` hold a 1 or 0 for each row. */
export interface Measured {
  right: string
  validJson?: string
  tokens: number
  forwards: number
  wallMs: number
}

export type Part = Record<string, Measured>

/** Decodes every row with all settings in turn, so that times are paired as well as answers. */
export async function measureTask(
  model: EvalModel,
  items: readonly Item[],
  settings: readonly Setting[],
): Promise<Part> {
  const part: Part = Object.fromEntries(settings.map(({ name }) => [name, emptyFor(items)]))
  for (const item of items) {
    for (const { name, decoding } of settings) {
      const decoded = await model.decode(item.prompt, decoding, ANSWER_TOKENS_MAX)
      const measured = part[name] as Measured
      measured.right += isRight(item, decoded.text) ? '1' : '0'
      const valid = isValidJson(item, decoded.text)
      if (valid !== undefined) measured.validJson += valid ? '1' : '0'
      measured.tokens += decoded.tokenIds.length
      measured.forwards += decoded.forwards
      measured.wallMs = Math.round((measured.wallMs + decoded.wallMs) * 10) / 10
    }
  }
  return part
}

function emptyFor(items: readonly Item[]): Measured {
  const none = { right: '', tokens: 0, forwards: 0, wallMs: 0 }
  const json = JSON_TASKS.includes(items[0]?.task as Task)
  return json ? { ...none, validJson: '' } : none
}
