import { assert } from '@setblock/shared'

import type { ForwardShape } from './attention-mask.ts'
import type { DevicePools } from './device-pools.ts'
import type { EngineCache, GraphRun } from './engine-cache.ts'
import type { SequenceId } from './engine.ts'
import { FeedBuffer } from './feed-buffer.ts'
import { GRAPH } from './graph-contract.ts'
import type { KvPoolOptions } from './kv-pool.ts'
import type { Feeds, OnnxGraph, Outputs } from './onnx-graph.ts'
import { SequenceSlots } from './sequence-slots.ts'

/**
 * Keys and values on the device. A slot is a stretch of places in every pool. A run writes all its
 * rows, tail first, into the places behind the cached ones; so a commit only counts them as cached,
 * and what is not committed lies where the next run writes.
 */
export class DeviceCache implements EngineCache {
  readonly #graph: OnnxGraph
  readonly #pools: DevicePools
  readonly #options: KvPoolOptions
  readonly #slots: SequenceSlots
  /** By slot: places from its first that may hold something. */
  readonly #written: number[]
  readonly #keyPlaces = int32Buffer()
  readonly #writePlaces = int32Buffer()
  /** Wipes under way; whatever touches the pools waits for them. */
  #wiping: Promise<void> = Promise.resolve()

  constructor(graph: OnnxGraph, pools: DevicePools, options: KvPoolOptions) {
    this.#graph = graph
    this.#pools = pools
    this.#options = options
    this.#slots = new SequenceSlots(options)
    this.#written = Array.from({ length: options.sequencesMax }, () => 0)
  }

  open(): SequenceId {
    return this.#slots.open()
  }

  close(sequence: SequenceId): void {
    if (!this.#slots.isOpen(sequence)) return
    const slot = this.#slots.indexOf(sequence)
    const rows = this.#written[slot]!
    const first = this.#firstPlace(sequence)
    this.#written[slot] = 0
    this.#slots.close(sequence)
    if (rows === 0) return
    this.#wiping = this.#wiping.then(() => this.#pools.wipe(first, rows))
    this.#wiping.catch(() => undefined) // the next to touch the pools is told
  }

  cachedLength(sequence: SequenceId): number {
    return this.#slots.cachedLength(sequence)
  }

  async run({ sequences, shape, feeds, outputs }: GraphRun): Promise<Outputs> {
    await this.#wiping
    for (const sequence of sequences) {
      this.#noteWritten(sequence, this.cachedLength(sequence) + shape.rows)
    }
    const all = { ...feeds, ...this.#placeFeeds(sequences, shape), ...this.#pools.feeds }
    return this.#graph.run(all, outputs, this.#pools.inPlace)
  }

  commit(sequence: SequenceId, rows: number): void {
    this.#slots.advance(sequence, rows)
  }

  async read(sequence: SequenceId, start: number, rows: number) {
    this.#slots.assertCached(sequence, start, rows)
    await this.#wiping
    return this.#pools.read(this.#firstPlace(sequence) + start, rows)
  }

  async append(sequence: SequenceId, data: Float32Array, rows: number): Promise<void> {
    const { planes, rowLength } = this.#options
    assert(data.length >= rows * planes * rowLength, 'source holds fewer rows than are appended')
    const first = this.#firstPlace(sequence) + this.cachedLength(sequence)
    this.#slots.advance(sequence, rows)
    this.#noteWritten(sequence, this.cachedLength(sequence))
    await this.#wiping
    await this.#pools.write(first, rows, data)
  }

  checkIntegrity(): void {
    this.#slots.checkIntegrity()
  }

  async dispose(): Promise<void> {
    await this.#wiping.catch(() => undefined)
    await this.#graph.dispose()
    await this.#pools.dispose()
  }

  /** Keys of a sequence are its slot's places in order; its rows go behind those that are cached. */
  #placeFeeds(sequences: readonly SequenceId[], { rows, keys }: ForwardShape): Feeds {
    const keyPlaces = this.#keyPlaces.take([sequences.length, keys])
    const writePlaces = this.#writePlaces.take([1, sequences.length * rows, 1])
    for (const [index, sequence] of sequences.entries()) {
      const first = this.#firstPlace(sequence)
      const next = first + this.cachedLength(sequence)
      for (let key = 0; key < keys; key++) keyPlaces.data[index * keys + key] = first + key
      for (let row = 0; row < rows; row++) writePlaces.data[index * rows + row] = next + row
    }
    return { [GRAPH.keyPlaces]: keyPlaces.feed, [GRAPH.writePlaces]: writePlaces.feed }
  }

  #firstPlace(sequence: SequenceId): number {
    return this.#slots.indexOf(sequence) * this.#options.planePositions
  }

  #noteWritten(sequence: SequenceId, end: number): void {
    const slot = this.#slots.indexOf(sequence)
    assert(end <= this.#options.planePositions, `places end at ${end}, outside of the slot`)
    this.#written[slot] = Math.max(this.#written[slot]!, end)
  }
}

const int32Buffer = (): FeedBuffer<Int32Array> => new FeedBuffer((length) => new Int32Array(length))
