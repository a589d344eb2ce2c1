import assert from 'node:assert/strict'

import { limits } from '@setblock/shared'

import { MASK_TOKEN_ID } from './random-checkpoint.ts'
import { softmax } from './reference-model.ts'
import type { ReferenceModel } from './reference-model.ts'
import type { ForwardRows, RowResults } from '../decoding/rows.ts'

/** Logits of the read rows by full recomputation: the whole sequence, its mask written out. */
export function referenceLogits(
  model: ReferenceModel,
  cached: readonly number[],
  { tail, groups, readTail }: ForwardRows,
): number[][] {
  const clean = [...cached, ...tail]
  const rows = clean.map((token, position) => ({ token, position, group: -1 }))
  for (const [group, { tokens, afterTail }] of groups.entries()) {
    const start = cached.length + afterTail
    for (const [i, token] of tokens.entries()) rows.push({ token, position: start + i, group })
  }
  const sees = (i: number, j: number): boolean => {
    const [query, key] = [rows[i]!, rows[j]!]
    if (query.group === -1) return key.group === -1 && j <= i
    if (key.group === -1) return j < cached.length + groups[query.group]!.afterTail
    return key.group === query.group
  }
  return model.logits(rows, sees).slice(clean.length - readTail)
}

/** Every id, entropy and log probability of the results follows from the logits, within `tolerance`. */
export function assertResults(
  actual: RowResults,
  logits: readonly number[][],
  tolerance: number,
): void {
  assert.equal(actual.ids.length, logits.length)
  for (const [row, all] of logits.entries()) {
    const allowed = all.map((value, id) => (id === MASK_TOKEN_ID ? -Infinity : value))
    const best = Math.max(...allowed)
    const id = actual.ids[row]!
    assert.ok(allowed[id]! >= best - tolerance, `row ${row}: id ${id} is not the most likely`)
    if (actual.entropies) {
      const probabilities = softmax(allowed)
      const expected = -probabilities.reduce((sum, p) => sum + (p > 0 ? p * Math.log(p) : 0), 0)
      assertNear(actual.entropies[row]!, expected, tolerance, `row ${row}: entropy`)
      const logprob = Math.log(probabilities[id]!)
      assertNear(actual.logprobs![row]!, logprob, tolerance, `row ${row}: log probability`)
    }
  }
}

/**
 * The candidates of the rows whose logits are given: true values, descending, none better left out.
 */
export function assertCandidates(
  results: RowResults,
  logits: readonly number[][],
  tolerance: number,
): void {
  const count = limits.topKMax
  const { topIds, topLogits } = results
  assert.ok(topIds !== undefined && topLogits !== undefined)
  assert.equal(topIds.length, logits.length * count)
  assert.equal(topLogits.length, logits.length * count)
  for (const [row, all] of logits.entries()) {
    const ids: number[] = Array.from(topIds.subarray(row * count, (row + 1) * count))
    const values = Array.from(topLogits.subarray(row * count, (row + 1) * count))
    assert.equal(new Set(ids).size, count)
    assert.ok(!ids.includes(MASK_TOKEN_ID), `row ${row} offers the mask token`)
    for (const [rank, id] of ids.entries()) {
      assertNear(values[rank]!, all[id]!, tolerance, `row ${row} rank ${rank}: logit`)
      if (rank > 0) assert.ok(values[rank]! <= values[rank - 1]!, `row ${row}: not descending`)
    }
    for (const [id, value] of all.entries()) {
      const leftOut = id !== MASK_TOKEN_ID && !ids.includes(id)
      if (leftOut) assert.ok(value <= values.at(-1)! + tolerance, `row ${row} leaves out ${id}`)
    }
  }
}

export function assertNear(actual: number, expected: number, tolerance: number, what: string) {
  const close = Math.abs(actual - expected) <= tolerance
  assert.ok(close, `${what} is ${actual}, not ${expected} within ${tolerance}`)
}
