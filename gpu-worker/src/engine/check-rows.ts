import { assert } from '@setblock/shared'

import { rowCount } from './attention-mask.ts'
import type { SequenceInput } from './attention-mask.ts'
import type { EngineLimits } from './engine.ts'

export interface RowLimits extends EngineLimits {
  readonly vocabularySize: number
  /** Rows of all groups of one sequence. */
  readonly groupRowsMax: number
}

/** Throws an InvariantError if the rows of one sequence are not ones this engine can run. */
export function checkRows({ rows, cachedLength }: SequenceInput, limits: RowLimits): void {
  const { tail, groups, readTail } = rows
  const total = rowCount(rows)
  assert(total >= 1, 'a sequence needs at least one row')
  assert(total <= limits.rowsMax, `${total} rows exceed the limit of ${limits.rowsMax}`)
  const groupRows = total - tail.length
  assert(
    groupRows <= limits.groupRowsMax,
    `${groupRows} group rows exceed the limit of ${limits.groupRowsMax}`,
  )
  const end = cachedLength + tail.length
  assert(end <= limits.contextLength, `tail ends at ${end} of ${limits.contextLength} positions`)
  assert(
    Number.isInteger(readTail) && readTail >= 0 && readTail <= tail.length,
    `readTail ${readTail} is not within the ${tail.length} tail rows`,
  )
  checkTokens(tail, limits.vocabularySize)
  for (const { tokens, afterTail } of groups) {
    assert(
      tokens.length >= 1 && tokens.length <= limits.maxBlockLength,
      `a group of ${tokens.length} rows is not within 1..${limits.maxBlockLength}`,
    )
    assert(
      Number.isInteger(afterTail) && afterTail >= 0 && afterTail <= tail.length,
      `afterTail ${afterTail} is not within the ${tail.length} tail rows`,
    )
    checkTokens(tokens, limits.vocabularySize)
  }
}

function checkTokens(tokens: readonly number[], vocabularySize: number): void {
  for (const token of tokens) {
    const known = Number.isInteger(token) && token >= 0 && token < vocabularySize
    assert(known, `a token id is not an integer below ${vocabularySize}`)
  }
}
