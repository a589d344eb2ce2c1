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

/**
 * Rounds end here; the first one is always run. A small model's take a tenth of it, unless other work holds them up: then
 * it takes many until each count of rows has run through once.
 */
const MEASURE_MS_MAX = 1500
const ROUNDS_MAX = 16

/** So many rounds more are run later, each if a lone row then takes no longer than this. */
const LATER_ROUNDS_MAX = 64
const QUICK_FORWARD_MS_MAX = 5
/** An engine that was too slow for that so often is a large model's, and left alone. */
const SLOW_ROUNDS_MAX = 8

/** Measures the curve on an idle engine, which is warm afterwards. */
export async function measureRowCost(engine: Engine, now: () => number): Promise<RowCost> {
  const meter = new CostMeter(engine, now)
  await meter.measure()
  return meter.cost
}

/**
 * The curve as the fastest of all rounds of forwards: causal rows of one sequence behind cached ones,
 * read out. What else the machine does at start would be taken for the price of rows, so an idle
 * engine measures on.
 */
export class CostMeter {
  readonly #engine: Engine
  readonly #now: () => number
  readonly #fastest: { readonly rows: number; ms: number }[]
  #settled = false
  #laterRounds = 0
  #slowRounds = 0

  /** `known`: a curve to begin with. */
  constructor(engine: Engine, now: () => number, known?: readonly CostPoint[]) {
    const { contextLength, rowsMax } = engine.limits
    const counts = MEASURED_ROWS.filter((rows) => rows <= Math.min(contextLength, rowsMax))
    this.#engine = engine
    this.#now = now
    this.#fastest = counts.map((rows) => {
      return { rows, ms: known?.find((point) => point.rows === rows)?.ms ?? Infinity }
    })
  }

  get cost(): RowCost {
    return new RowCost(this.#fastest)
  }

  /** Whether all rounds of `measure` were run. Otherwise the curve may be other work's as much as the engine's. */
  get settled(): boolean {
    return this.#settled
  }

  async measure(): Promise<void> {
    const startedMs = this.#now()
    const rounds = await this.#rounds(ROUNDS_MAX, () => this.#now() - startedMs <= MEASURE_MS_MAX)
    this.#settled = rounds === ROUNDS_MAX
  }

  /**
   * One round more, which ends early if `mayGoOn` says no. The curve as it is then; undefined if
   * there is nothing more to learn, or a round takes too long to be run beside work.
   */
  async measureAgain(mayGoOn: () => boolean): Promise<RowCost | undefined> {
    if (this.#laterRounds >= LATER_ROUNDS_MAX || this.#slowRounds >= SLOW_ROUNDS_MAX)
      return undefined
    this.#laterRounds += 1
    if (await this.#isQuick()) await this.#rounds(1, () => true, mayGoOn)
    else this.#slowRounds += 1
    return this.cost
  }

  async #isQuick(): Promise<boolean> {
    const sequence = this.#engine.open()
    const ms = await this.#time(sequence, 1)
    this.#engine.close(sequence)
    return ms <= QUICK_FORWARD_MS_MAX
  }

  #rowsBehind(): number {
    const { contextLength, rowsMax } = this.#engine.limits
    return Math.min(CACHED_ROWS, contextLength - this.#fastest.at(-1)!.rows, rowsMax)
  }

  /** Resolves to the number of rounds that were run. */
  async #rounds(
    count: number,
    nextRound: () => boolean,
    nextForward: () => boolean = () => true,
  ): Promise<number> {
    const sequence = this.#engine.open()
    const behind = this.#rowsBehind()
    if (behind > 0) {
      await this.#engine.forward([causalRows(sequence, behind, 0)])
      this.#engine.commit(sequence, behind)
    }
    let round = 0
    for (; round < count && (round === 0 || nextRound()); round += 1) {
      for (const point of this.#fastest) {
        if (nextForward()) point.ms = Math.min(point.ms, await this.#time(sequence, point.rows))
      }
    }
    this.#engine.close(sequence)
    return round
  }

  async #time(sequence: number, rows: number): Promise<number> {
    const batch = [causalRows(sequence, rows, rows)]
    const beganMs = this.#now()
    await this.#engine.forward(batch)
    return this.#now() - beganMs
  }
}

function causalRows(sequence: number, rows: number, readTail: number): SequenceRows {
  const tail = Array.from({ length: rows }, () => 0)
  return { sequence, tail, groups: [], readTail, entropies: 'none', top: 'none' }
}
