import type { SequenceId } from './engine.ts'
import { GRAPH } from './graph-contract.ts'
import { createValues } from './kv-pool.ts'
import type { KvPool, KvPoolOptions, KvValues } from './kv-pool.ts'
import { tensor } from './onnx-graph.ts'
import type { Feeds } from './onnx-graph.ts'

/**
 * The cached keys and values of a batch as graph inputs, (B, T, KV*D) each. A lone sequence's
 * planes are fed as they lie in the pool. Those of several lie one behind the other in buffers of
 * their own, which are kept: while the batch stays the same, only rows cached since are copied.
 * What lies behind a sequence's cached positions is finite, and is overwritten or hidden in the
 * graph.
 */
export class PastFeeds {
  readonly #pool: KvPool
  readonly #options: KvPoolOptions
  readonly #names: readonly string[]
  /** One per plane, (B, T, rowLength), the first `#held.length` sequences in it valid. */
  #joined: readonly KvValues[] = []
  #joinedKeys = 0
  #held: { readonly sequence: SequenceId; length: number }[] = []
  #last: { readonly key: string; readonly feeds: Feeds } | undefined

  constructor(pool: KvPool, options: KvPoolOptions) {
    this.#pool = pool
    this.#options = options
    this.#names = Array.from({ length: options.planes }, (_, plane) => {
      const layer = plane >> 1
      return plane % 2 === 0 ? GRAPH.pastKey(layer) : GRAPH.pastValue(layer)
    })
  }

  /** `keys` is T, enough for every sequence's cache and rows. */
  feeds(sequences: readonly SequenceId[], keys: number): Feeds {
    const [first] = sequences
    const lone = sequences.length === 1
    if (!lone) this.#join(sequences, keys)
    const key = lone ? `${first} ${keys}` : `joined ${sequences.length} ${keys}`
    if (this.#last?.key !== key) {
      const shape = [sequences.length, keys, this.#options.rowLength]
      const length = sequences.length * keys * this.#options.rowLength
      const planes = lone ? this.#pool.planes(first!, keys) : this.#joined
      const feeds = this.#names.map((name, index) => {
        return [name, tensor(planes[index]!.subarray(0, length), shape)] as const
      })
      this.#last = { key, feeds: Object.fromEntries(feeds) }
    }
    return this.#last.feeds
  }

  /** Wipes the copy of a sequence that is closed. */
  forget(sequence: SequenceId): void {
    const place = this.#held.findIndex((held) => held.sequence === sequence)
    if (place === -1) return
    const start = place * this.#joinedKeys * this.#options.rowLength
    const end = start + this.#held[place]!.length * this.#options.rowLength
    for (const plane of this.#joined) plane.fill(0, start, end)
    this.#held[place]!.length = 0
  }

  #join(sequences: readonly SequenceId[], keys: number): void {
    const { rowLength } = this.#options
    this.#reserve(sequences.length, keys)
    for (const [place, sequence] of sequences.entries()) {
      const cached = this.#pool.cachedLength(sequence)
      const held = this.#held[place]
      const from = held?.sequence === sequence ? held.length : 0
      this.#held[place] = { sequence, length: cached }
      if (from === cached) continue
      const target = (place * keys + from) * rowLength
      for (const [index, plane] of this.#pool.planes(sequence, cached).entries()) {
        this.#joined[index]!.set(plane.subarray(from * rowLength), target)
      }
    }
  }

  /** Room for so many sequences of `keys` positions; what is held there stays if it still fits. */
  #reserve(sequences: number, keys: number): void {
    const { planes, rowLength, sequencesMax, planePositions, type } = this.#options
    const length = sequences * keys * rowLength
    const grow = length > (this.#joined[0]?.length ?? 0)
    if (grow) {
      const roomy = Math.min(2 * length, sequencesMax * planePositions * rowLength)
      this.#joined = Array.from({ length: planes }, () => createValues(type, roomy))
      this.#last = undefined
    }
    if (grow || keys !== this.#joinedKeys) this.#held = []
    this.#joinedKeys = keys
  }
}
