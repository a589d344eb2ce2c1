import { performance } from 'node:perf_hooks'

import { OnnxGraph } from './onnx-graph.ts'
import type { Feeds, Outputs, RuntimeOptions } from './onnx-graph.ts'

/** Row counts that are timed, forwards of each kind and count, and what a second thread must save. */
const TUNED_ROWS = [4, 16, 64]
const TUNED_FORWARDS = 7
const WORTH_SHARE = 0.9

export interface WideOptions {
  /** Threads of the wide form; without it there is none. */
  readonly wideThreads?: number
  /** The row count from which on it runs, where that has been measured already. */
  readonly wideFromRows?: number
  /** Asked before each forward; several threads run only where no other engine wants the cores. */
  readonly coresAreFree?: () => boolean
}

export interface RowTimes {
  readonly rows: number
  /** Milliseconds with one thread. */
  readonly narrowMs: number
  /** Milliseconds with several. */
  readonly wideMs: number
}

/**
 * One graph, loaded twice where that pays: once for one thread and once for several. Handing work to
 * another thread costs a few microseconds per operator, which many rows outweigh and few do not, and
 * on a busy machine none do. So the row count from which on the wide one runs is measured.
 */
export class ThreadedGraph {
  readonly #narrow: OnnxGraph
  readonly #coresAreFree: () => boolean
  #wide: OnnxGraph | undefined
  #wideFromRows = Infinity

  private constructor(narrow: OnnxGraph, wide: OnnxGraph | undefined, options: WideOptions) {
    this.#narrow = narrow
    this.#wide = wide
    this.#coresAreFree = options.coresAreFree ?? (() => true)
    if (options.wideFromRows !== undefined) this.#wideFromRows = options.wideFromRows
  }

  /**
   * The wide form spins between operators. `file`: its bytes, or its path where weights lie beside it.
   *
   * @throws ModelError if the runtime refuses the file.
   */
  static async load(
    file: Uint8Array | string,
    options: RuntimeOptions,
    wideOptions: WideOptions,
  ): Promise<ThreadedGraph> {
    const { wideThreads, wideFromRows } = wideOptions
    const narrow = await OnnxGraph.load(file, options)
    const isWanted = wideThreads !== undefined && wideFromRows !== Infinity
    const wide = isWanted
      ? await OnnxGraph.load(file, { threads: wideThreads, spinning: true })
      : undefined
    return new ThreadedGraph(narrow, wide, wideOptions)
  }

  /** The row count from which on several threads run; Infinity: never. */
  get wideFromRows(): number {
    return this.#wideFromRows
  }

  get inputNames(): readonly string[] {
    return this.#narrow.inputNames
  }

  get isTunable(): boolean {
    return this.#wide !== undefined && this.#wideFromRows === Infinity
  }

  /** `rows`: rows of the whole run. Blocks the thread until done. */
  run(feeds: Feeds, outputs: readonly string[], rows: number): Promise<Outputs> {
    const isWide = rows >= this.#wideFromRows && this.#coresAreFree()
    const graph = isWide ? (this.#wide ?? this.#narrow) : this.#narrow
    return graph.run(feeds, outputs)
  }

  /** Times `forward` in both forms, in turns, and frees the wide one if it is no faster. */
  async tune(forward: (rows: number) => Promise<unknown>): Promise<void> {
    const times: RowTimes[] = []
    for (const rows of TUNED_ROWS) {
      const samples: [number[], number[]] = [[], []]
      for (let i = 0; i < 2 * TUNED_FORWARDS; i++) {
        this.#wideFromRows = i % 2 === 0 ? Infinity : 0
        await forward(rows) // the first after the other form finds cold caches
        const startMs = performance.now()
        await forward(rows)
        samples[i % 2]!.push(performance.now() - startMs)
      }
      times.push({ rows, narrowMs: median(samples[0]), wideMs: median(samples[1]) })
    }
    this.#wideFromRows = wideFromRows(times)
    if (this.#wideFromRows < Infinity) return
    await this.#wide?.dispose()
    this.#wide = undefined
  }

  async dispose(): Promise<void> {
    await Promise.all([this.#narrow.dispose(), this.#wide?.dispose()])
  }
}

/** The least of the measured row counts from which on several threads pay, or Infinity. */
export function wideFromRows(times: readonly RowTimes[]): number {
  let from = Infinity
  for (const { rows, narrowMs, wideMs } of times.toSorted((a, b) => b.rows - a.rows)) {
    if (wideMs > WORTH_SHARE * narrowMs) break
    from = rows
  }
  return from
}

function median(samples: readonly number[]): number {
  return samples.toSorted((a, b) => a - b)[samples.length >> 1]!
}
