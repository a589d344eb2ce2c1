import type { Architecture } from '@setblock/shared'

import { rowCount } from './attention-mask.ts'
import type { SequenceInput } from './attention-mask.ts'

/** What parts of a run cost, in any one unit. */
export interface RunCost {
  /** Whatever the run holds. */
  readonly fixed: number
  /** Per row, attention left out. */
  readonly row: number
  /** Attention, per row of the widest sequence and per key of the longest, for every sequence. */
  readonly rowKey: number
}

/** Time of an int8 multiplication against one of attention, which stays in fp32. */
const INT8_TIME_SHARE = 0.3

/**
 * Multiplications of a run, those of int8 matmuls counted by the share of time they take. A run's
 * fixed cost is that of about 8 rows (bench/README.md).
 */
export function runCost(architecture: Architecture): RunCost {
  const { layers, hiddenSize, heads, keyValueHeads, headSize, intermediateSize } = architecture
  const attentionMatrices = 2 * (heads + keyValueHeads) * headSize * hiddenSize
  const perLayer = attentionMatrices + 3 * hiddenSize * intermediateSize
  const row = (layers * perLayer + hiddenSize * architecture.vocabularySize) * INT8_TIME_SHARE
  return { fixed: 8 * row, row, rowKey: layers * 2 * heads * headSize }
}

/**
 * Which sequences of a batch share a run of the graph: lists of indices into the batch. Attention
 * pads every sequence to the widest, so that a long prompt chunk among short rows would multiply
 * them. Then the wide ones go in a run of their own, if that costs less than the padding.
 */
export function planRuns(batch: readonly SequenceInput[], cost: RunCost): number[][] {
  const widths = batch.map(({ rows }) => rowCount(rows))
  const together = [...batch.keys()]
  if (Math.max(...widths) === Math.min(...widths)) return [together]
  const byWidth = together.toSorted((a, b) => widths[a]! - widths[b]!)
  const costOf = (indices: readonly number[]): number => {
    const rows = indices.reduce((sum, index) => sum + widths[index]!, 0)
    const widest = Math.max(...indices.map((index) => widths[index]!))
    const longest = Math.max(...indices.map((index) => batch[index]!.cachedLength)) + widest
    return cost.fixed + cost.row * rows + cost.rowKey * indices.length * widest * longest
  }
  let best = { cost: costOf(together), runs: [together] }
  for (let cut = 1; cut < byWidth.length; cut++) {
    const runs = [byWidth.slice(0, cut), byWidth.slice(cut)]
    const total = costOf(runs[0]!) + costOf(runs[1]!)
    if (total < best.cost) best = { cost: total, runs }
  }
  return best.runs.map((run) => run.toSorted((a, b) => a - b))
}
