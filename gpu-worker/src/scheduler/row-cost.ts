import { assert } from '@setblock/shared'
import type { Engine, SequenceRows } from '../engine/engine.ts'

export interface CostPoint {
  readonly rows: number
  readonly ms: number
}

/** t(rows): milliseconds of one forward by the rows of all its sequences, straight between measured points. */
export class RowCost {
  readonly points: readonly CostPoint[]

  /** Points in ascending order of rows. Where a measurement fell with more rows, the one before it holds. */
  constructor(points: readonly CostPoint[]) {
    assert(points.length >= 2, `a cost curve needs two points, not ${points.length}`)
    let highest = 0
    this.points = points.map(({ rows, ms }) => {
      highest = Math.max(highest, ms)
      return { rows, ms: highest }
    })
  }

  /** Beyond the last point the last slope goes on. */
  ms(rows: number): number {
    const next = this.points.findIndex((point) => point.rows >= rows)
    const right = next === -1 ? this.points.length - 1 : Math.max(1, next)
    const [low, high] = [this.points[right - 1]!, this.points[right]!]
    const slope = (high.ms - low.ms) / (high.rows - low.rows)
    return Math.max(this.points[0]!.ms, low.ms + slope * (rows - low.rows))
  }

  /** The most rows whose forward takes no longer than `ms`. */
  rowsWithin(ms: number, rowsMax: number): number {
    let [low, high] = [0, rowsMax]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (this.ms(middle) <= ms) low = middle
      else high = middle - 1
    }
    return low
  }
}

const MEASURED_ROWS = [1, 8, 16, 32, 64] as const

/** Positions cached before the measured rows, so that their attention is in what they cost; less in a short context. */
const CACHED_ROWS = 256

/** A large model's rounds end here; the first one is always run. */
const MEASURE_MS_MAX = 300
const ROUNDS_MAX = 16

/**
 * Measures the curve on an idle engine: causal rows of one sequence, read out, the fastest of some rounds. The engine
 * is warm afterwards.
 */
export async function measureRowCost(engine: Engine, now: () => number): Promise<RowCost> {
  const { contextLength, rowsMax } = engine.limits
  const counts = MEASURED_ROWS.filter((rows) => rows <= Math.min(contextLength, rowsMax))
  const most = counts.at(-1)!
  const sequence = engine.open()
  const behind = Math.min(CACHED_ROWS, contextLength - most, rowsMax)
  if (behind > 0) {
    await engine.forward([causalRows(sequence, behind, 0)])
    engine.commit(sequence, behind)
  }
  const fastest = counts.map(() => Number.POSITIVE_INFINITY)
  const startedMs = now()
  for (let round = 0; round <= ROUNDS_MAX; round += 1) {
    for (const [index, rows] of counts.entries()) {
      const batch = [causalRows(sequence, rows, rows)]
      const beganMs = now()
      await engine.forward(batch)
      fastest[index] = Math.min(fastest[index]!, now() - beganMs)
    }
    if (now() - startedMs > MEASURE_MS_MAX) break
  }
  engine.close(sequence)
  return new RowCost(counts.map((rows, index) => ({ rows, ms: fastest[index]! })))
}

function causalRows(sequence: number, rows: number, readTail: number): SequenceRows {
  const tail = Array.from({ length: rows }, () => 0)
  return { sequence, tail, groups: [], readTail, entropies: false, top: 'none' }
}
