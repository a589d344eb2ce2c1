import { limits } from '@setblock/shared'

import { rowCount } from './attention-mask.ts'
import { GRAPH } from './graph-contract.ts'
import type { Outputs } from './onnx-graph.ts'
import type { ForwardRows, RowResults } from '../decoding/rows.ts'

/**
 * The graph's flat outputs, dealt to the sequences in the order in which `selectRows` asked for
 * them.
 */
export function splitResults(batch: readonly ForwardRows[], outputs: Outputs): RowResults[] {
  const ids = outputs[GRAPH.ids]!.data as Int32Array
  const entropies = outputs[GRAPH.entropy]?.data as Float32Array
  const logprobs = outputs[GRAPH.logprob]?.data as Float32Array
  const topIds = outputs[GRAPH.topIds]?.data as Int32Array
  const topValues = outputs[GRAPH.topValues]?.data as Float32Array
  let read = 0
  let entropy = 0
  let top = 0
  return batch.map((rows) => {
    const count = rowCount(rows) - rows.tail.length + rows.readTail
    const results: { -readonly [K in keyof RowResults]: RowResults[K] } = {
      ids: ids.slice(read, (read += count)),
    }
    if (rows.entropies !== 'none') {
      const first = rows.entropies === 'all' ? 0 : rows.readTail
      const end = entropy + count - first
      results.entropies = placed(entropies.subarray(entropy, end), first)
      results.logprobs = placed(logprobs.subarray(entropy, end), first)
      entropy = end
    }
    const candidates = topRowCount(rows, count) * limits.topKMax
    if (rows.top !== 'none') {
      results.topIds = topIds.slice(top, top + candidates)
      results.topLogits = topValues.slice(top, (top += candidates))
    }
    return results
  })
}

/** The values behind `first` rows that have none. */
function placed(values: Float32Array, first: number): Float32Array {
  const all = new Float32Array(first + values.length).fill(Number.NaN, 0, first)
  all.set(values, first)
  return all
}

function topRowCount({ top, readTail }: ForwardRows, readRows: number): number {
  switch (top) {
    case 'none':
      return 0
    case 'tail':
      return readTail
    case 'all':
      return readRows
  }
}

/** Outputs nobody asked for are not copied out of the runtime. */
export function wantedOutputs(batch: readonly ForwardRows[]): string[] {
  const wanted: string[] = [GRAPH.ids]
  if (batch.some(({ entropies }) => entropies !== 'none')) wanted.push(GRAPH.entropy, GRAPH.logprob)
  if (batch.some(({ top }) => top !== 'none')) wanted.push(GRAPH.topIds, GRAPH.topValues)
  return wanted
}
