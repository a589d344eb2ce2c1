import type { SequenceId } from './engine.ts'
import { GRAPH } from './graph-contract.ts'
import type { KvPool, KvPoolOptions } from './kv-pool.ts'
import { tensor } from './onnx-graph.ts'
import type { Feeds } from './onnx-graph.ts'
import { ScratchBuffer } from './scratch-buffer.ts'

/**
 * The cached keys and values of a batch as graph inputs, (B, T, KV*D) each. A lone sequence's
 * planes are fed as they lie in the pool; those of several are copied one behind the other. What
 * lies behind a sequence's cached positions is finite, and is overwritten or hidden in the graph.
 */
export class PastFeeds {
  readonly #pool: KvPool
  readonly #rowLength: number
  readonly #names: readonly string[]
  readonly #joined: readonly ScratchBuffer<Float32Array>[]

  constructor(pool: KvPool, { planes, rowLength }: KvPoolOptions) {
    this.#pool = pool
    this.#rowLength = rowLength
    this.#names = Array.from({ length: planes }, (_, plane) => {
      const layer = plane >> 1
      return plane % 2 === 0 ? GRAPH.pastKey(layer) : GRAPH.pastValue(layer)
    })
    this.#joined = this.#names.map(() => new ScratchBuffer((length) => new Float32Array(length)))
  }

  /** `keys` is T, enough for every sequence's cache and rows. */
  feeds(sequences: readonly SequenceId[], keys: number): Feeds {
    const [first] = sequences
    const lone = sequences.length === 1 ? this.#pool.planes(first!, keys) : undefined
    const planes = lone ?? this.#join(sequences, keys)
    const shape = [sequences.length, keys, this.#rowLength]
    return Object.fromEntries(
      this.#names.map((name, index) => [name, tensor(planes[index]!, shape)]),
    )
  }

  #join(sequences: readonly SequenceId[], keys: number): Float32Array[] {
    const length = keys * this.#rowLength
    const joined = this.#joined.map((buffer) => buffer.take(sequences.length * length))
    for (const [b, sequence] of sequences.entries()) {
      const cached = this.#pool.planes(sequence, this.#pool.cachedLength(sequence))
      for (const [index, plane] of cached.entries()) joined[index]!.set(plane, b * length)
    }
    return joined
  }
}
