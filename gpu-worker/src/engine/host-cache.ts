import { assert } from '@setblock/shared'

import type { EngineCache, GraphRun } from './engine-cache.ts'
import type { SequenceId } from './engine.ts'
import { FeedBuffer } from './feed-buffer.ts'
import { GRAPH } from './graph-contract.ts'
import { KvPool } from './kv-pool.ts'
import type { KvPoolOptions, KvType, KvValues } from './kv-pool.ts'
import type { Outputs } from './onnx-graph.ts'
import { PastFeeds } from './past-feeds.ts'
import type { ThreadedGraph } from './threaded-graph.ts'
import { toHalves, widenHalves } from '../model-builder/float-formats.ts'

/** Keys and values in host memory: fed with every forward, and appended from what it returns. */
export class HostCache implements EngineCache {
  readonly #graph: ThreadedGraph
  readonly #type: KvType | undefined
  readonly #pool: KvPool
  readonly #pastFeeds: PastFeeds
  readonly #writePositions = new FeedBuffer((length) => new BigInt64Array(length))
  /** Values per row of `new_rows`: keys and values of every layer. */
  readonly #newRowLength: number
  /** Keys and values of a sequence's last run, from its first row on. */
  readonly #newRows = new Map<SequenceId, KvValues>()

  constructor(graph: ThreadedGraph, options: KvPoolOptions) {
    this.#type = options.type
    this.#graph = graph
    this.#newRowLength = options.planes * options.rowLength
    this.#pool = new KvPool(options)
    this.#pastFeeds = new PastFeeds(this.#pool, options)
  }

  open(): SequenceId {
    return this.#pool.open()
  }

  close(sequence: SequenceId): void {
    this.#newRows.delete(sequence)
    this.#pastFeeds.forget(sequence)
    this.#pool.close(sequence)
  }

  cachedLength(sequence: SequenceId): number {
    return this.#pool.cachedLength(sequence)
  }

  async run({ sequences, shape, feeds, outputs }: GraphRun): Promise<Outputs> {
    const writePositions = this.#writePositions.take([sequences.length])
    for (const [index, sequence] of sequences.entries()) {
      writePositions.data[index] = BigInt(this.#pool.cachedLength(sequence))
    }
    const all = {
      ...feeds,
      [GRAPH.writePositions]: writePositions.feed,
      ...this.#pastFeeds.feeds(sequences, shape.keys),
    }
    const results = await this.#graph.run(all, [...outputs, GRAPH.newRows], shape.packedRows)
    const newRows = results[GRAPH.newRows]!.data as KvValues
    for (const [index, sequence] of sequences.entries()) {
      this.#newRows.set(sequence, newRows.subarray(index * shape.rows * this.#newRowLength))
    }
    return results
  }

  commit(sequence: SequenceId, rows: number): void {
    const newRows = this.#newRows.get(sequence)
    assert(newRows !== undefined, `sequence ${sequence} was in no run`)
    this.#newRows.delete(sequence)
    this.#pool.append(sequence, newRows, rows)
  }

  async read(sequence: SequenceId, start: number, rows: number) {
    return toFloats(this.#pool.read(sequence, start, rows))
  }

  async append(sequence: SequenceId, data: Float32Array, rows: number): Promise<void> {
    this.#pool.append(sequence, toValues(data, this.#type), rows)
  }

  checkIntegrity(): void {
    this.#pool.checkIntegrity()
  }

  dispose(): Promise<void> {
    return this.#graph.dispose()
  }
}

/** Outside of the engine keys and values are float32 always. */
function toFloats(values: KvValues): Float32Array<ArrayBuffer> {
  if (values instanceof Float32Array) return values
  const floats = new Float32Array(values.length)
  widenHalves(values, floats)
  return floats
}

/** Exact: what is brought back has been float16 before. */
function toValues(floats: Float32Array, type: KvType | undefined): KvValues {
  if (type !== 'float16') return floats as Float32Array<ArrayBuffer>
  const halves = new Uint16Array(floats.length)
  toHalves(floats, halves)
  return halves
}
