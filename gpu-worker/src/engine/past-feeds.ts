import type { SequenceId } from './engine.ts'
import { GRAPH } from './graph-contract.ts'
import type { KvPool, KvShape } from './kv-pool.ts'
import { tensor } from './onnx-graph.ts'
import type { Feeds } from './onnx-graph.ts'
import { ScratchBuffer } from './scratch-buffer.ts'

/**
 * The cached keys and values of a batch as graph inputs, (B, KV, T, D) each. A lone sequence's planes are fed
 * as they lie in the pool; those of several are copied side by side. Positions beyond a sequence's cache
 * hold stale, finite values, which the attention bias hides.
 */
export class PastFeeds {
  readonly #pool: KvPool
  readonly #shape: KvShape
  readonly #names: readonly string[]
  readonly #joined: readonly ScratchBuffer<Float32Array>[]

  constructor(pool: KvPool, shape: KvShape) {
    this.#pool = pool
    this.#shape = shape
    this.#names = Array.from({ length: shape.layers }, (_, layer) => [
      GRAPH.pastKey(layer),
      GRAPH.pastValue(layer),
    ]).flat()
    this.#joined = this.#names.map(() => new ScratchBuffer((length) => new Float32Array(length)))
  }

  /** `past` is T: the largest capacity among the sequences. */
  feeds(sequences: readonly SequenceId[], past: number): Feeds {
    const { keyValueHeads, headSize } = this.#shape
    const shape = [sequences.length, keyValueHeads, past, headSize]
    const planes = sequences.map((sequence) => this.#pool.planes(sequence))
    const lone = planes.length === 1 ? planes[0] : undefined
    const feeds: Feeds = {}
    for (const [index, name] of this.#names.entries()) {
      const data = lone?.[index] ?? this.#join(index, planes, past)
      feeds[name] = tensor(data, shape)
    }
    return feeds
  }

  #join(index: number, planes: readonly (readonly Float32Array[])[], past: number): Float32Array {
    const { keyValueHeads, headSize } = this.#shape
    const headLength = past * headSize
    const joined = this.#joined[index]!.take(planes.length * keyValueHeads * headLength)
    for (const [b, ofSequence] of planes.entries()) {
      const plane = ofSequence[index]!
      const length = plane.length / keyValueHeads
      for (let head = 0; head < keyValueHeads; head++) {
        const source = plane.subarray(head * length, (head + 1) * length)
        joined.set(source, (b * keyValueHeads + head) * headLength)
      }
    }
    return joined
  }
}
