import { GRAPH } from './graph-contract.ts'
import { OnnxGraph, tensor } from './onnx-graph.ts'
import type { Feed, Feeds } from './onnx-graph.ts'
import { emptyPoolGraph, POOL_GRAPH, readGraph, wipeGraph, writeGraph } from './pool-graphs.ts'
import type { PoolShape } from './pool-graphs.ts'

/** Places that one run wipes: bounds the index and the zeros that it needs on the device. */
const WIPED_AT_ONCE_MAX = 1024

/** `empty` lives as long as the pools: the runtime crashes over a tensor that outlives its maker. */
type PoolGraphs = Readonly<Record<'empty' | 'read' | 'write' | 'wipe', OnnxGraph>>

/** How a graph of ours is loaded for the device. */
export const DEVICE_RUNTIME = { provider: 'webgpu', threads: 1, spinning: false } as const

/**
 * Keys and values of every layer on the device, each in one tensor that lives as long as the engine:
 * graphs write into it in place. What is read comes back through a graph too, since the runtime
 * cannot copy a device tensor to the host by itself.
 */
export class DevicePools {
  readonly #shape: PoolShape
  /** By the name under which graphs take a pool. */
  readonly #pools: Feeds
  readonly #graphs: PoolGraphs

  private constructor(shape: PoolShape, pools: Feeds, graphs: PoolGraphs) {
    this.#shape = shape
    this.#pools = pools
    this.#graphs = graphs
  }

  /** @throws ModelError or Error if the device has no room for them. */
  static async create(shape: PoolShape, places: number): Promise<DevicePools> {
    const graphs = {
      empty: await OnnxGraph.load(emptyPoolGraph(shape), {
        ...DEVICE_RUNTIME,
        outputsOnDevice: true,
      }),
      read: await OnnxGraph.load(readGraph(shape), DEVICE_RUNTIME),
      write: await OnnxGraph.load(writeGraph(shape), DEVICE_RUNTIME),
      wipe: await OnnxGraph.load(wipeGraph(shape), DEVICE_RUNTIME),
    }
    const made: Record<string, Feed> = {}
    const pools = new DevicePools(shape, made, graphs)
    const feeds = { [POOL_GRAPH.shape]: shapeFeed([shape.heads, places, shape.headSize]) }
    try {
      for (const name of shape.names) {
        made[name] = (await graphs.empty.run(feeds, [POOL_GRAPH.empty]))[POOL_GRAPH.empty]!
      }
    } catch (error) {
      await pools.dispose()
      throw error
    }
    return pools
  }

  /** For a graph that takes every pool. */
  get feeds(): Feeds {
    return this.#pools
  }

  /** For a graph that gives every pool, updated. */
  get inPlace(): Feeds {
    const updated = Object.entries(this.#pools).map(([name, pool]) => [GRAPH.updated(name), pool])
    return Object.fromEntries(updated) as Feeds
  }

  /** Row after row: of every pool in turn, (KV*D). */
  async read(first: number, rows: number): Promise<Float32Array<ArrayBuffer>> {
    const feeds = { ...this.#pools, [POOL_GRAPH.places]: tensor(placesFrom(first, rows), [rows]) }
    const output = (await this.#graphs.read.run(feeds, [POOL_GRAPH.rows]))[POOL_GRAPH.rows]!
    return output.data as Float32Array<ArrayBuffer>
  }

  /** `data`: laid out as `read` gives it. */
  async write(first: number, rows: number, data: Float32Array): Promise<void> {
    const { names, heads, headSize } = this.#shape
    const shape = [rows, names.length, heads * headSize]
    const length = rows * names.length * heads * headSize
    const feeds = {
      ...this.#pools,
      [POOL_GRAPH.places]: tensor(placesFrom(first, rows), [1, rows, 1]),
      [POOL_GRAPH.rows]: tensor(data.subarray(0, length), shape),
    }
    await this.#graphs.write.run(feeds, [], this.inPlace)
  }

  async wipe(first: number, rows: number): Promise<void> {
    const { heads, headSize } = this.#shape
    for (let done = 0; done < rows; done += WIPED_AT_ONCE_MAX) {
      const count = Math.min(WIPED_AT_ONCE_MAX, rows - done)
      const feeds = {
        ...this.#pools,
        [POOL_GRAPH.places]: tensor(placesFrom(first + done, count), [1, count, 1]),
        [POOL_GRAPH.shape]: shapeFeed([heads, count, headSize]),
      }
      await this.#graphs.wipe.run(feeds, [], this.inPlace)
    }
  }

  /** The tensors first: what they are made of belongs to the graph that made them. */
  async dispose(): Promise<void> {
    for (const pool of Object.values(this.#pools)) pool.dispose()
    for (const graph of Object.values(this.#graphs)) await graph.dispose()
  }
}

function placesFrom(first: number, count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => first + i)
}

function shapeFeed(shape: readonly number[]): Feed {
  return tensor(BigInt64Array.from(shape, BigInt), [shape.length])
}
