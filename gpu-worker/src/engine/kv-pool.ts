import { ApiError, assert } from '@setblock/shared'

import type { SequenceId } from './engine.ts'

export interface KvShape {
  readonly layers: number
  readonly keyValueHeads: number
  readonly headSize: number
}

export interface KvPoolOptions extends KvShape {
  readonly sequencesMax: number
  /** Positions reserved for each sequence. */
  readonly contextLength: number
}

/**
 * A sequence's capacity grows in steps of this many positions. The graph is fed whole buckets, so that its
 * shapes change rarely, and attention pays for at most one bucket of empty positions.
 */
export const BUCKET_POSITIONS = 64

/** Keys or values of one layer and slot, (KV, capacity, D) in the front part of `storage`. */
type Plane = Float32Array

interface Slot {
  readonly index: number
  /** Plane 2*l holds the keys of layer l, plane 2*l + 1 its values. */
  readonly planes: readonly Plane[]
  /** Positions per head in the planes' layout: a multiple of BUCKET_POSITIONS. */
  capacity: number
  cachedLength: number
}

/**
 * Cached keys and values on the host. Each sequence owns one slot, with every position it may ever need
 * reserved at start: nothing is allocated per step. Within a plane, a head's positions are contiguous, which
 * is the layout attention reads: a lone sequence is fed without a copy.
 */
export class KvPool {
  readonly #options: KvPoolOptions
  readonly #free: Slot[] = []
  readonly #used = new Map<SequenceId, Slot>()
  #nextId = 1

  constructor(options: KvPoolOptions) {
    this.#options = options
    const { sequencesMax, layers, keyValueHeads, headSize } = options
    const planeLength = keyValueHeads * roundUp(options.contextLength) * headSize
    for (let index = sequencesMax - 1; index >= 0; index--) {
      const planes = Array.from({ length: 2 * layers }, () => new Float32Array(planeLength))
      this.#free.push({ index, planes, capacity: BUCKET_POSITIONS, cachedLength: 0 })
    }
  }

  /** @throws ApiError `overloaded` if every slot is taken. */
  open(): SequenceId {
    const slot = this.#free.pop()
    if (slot === undefined) throw new ApiError('overloaded', 'every sequence slot is in use')
    const sequence = this.#nextId++
    this.#used.set(sequence, slot)
    return sequence
  }

  /** Wiped, so that nothing of one sequence stays where the next one lives. Idempotent. */
  close(sequence: SequenceId): void {
    const slot = this.#used.get(sequence)
    if (slot === undefined) return
    this.#used.delete(sequence)
    const written = this.#options.keyValueHeads * slot.capacity * this.#options.headSize
    for (const plane of slot.planes) plane.fill(0, 0, written)
    slot.capacity = BUCKET_POSITIONS
    slot.cachedLength = 0
    this.#free.push(slot)
  }

  cachedLength(sequence: SequenceId): number {
    return this.#slot(sequence).cachedLength
  }

  /** Positions per head of this sequence's planes: its cached length, rounded up to whole buckets. */
  capacity(sequence: SequenceId): number {
    return this.#slot(sequence).capacity
  }

  /** The planes as attention takes them, (KV, capacity, D) each. Valid until the next append. */
  planes(sequence: SequenceId): readonly Float32Array[] {
    const { planes, capacity } = this.#slot(sequence)
    const length = this.#options.keyValueHeads * capacity * this.#options.headSize
    return planes.map((plane) => plane.subarray(0, length))
  }

  /**
   * Caches `rows` more positions. `source` holds them in the layout of the graph's `new_rows`, row after row,
   * each with KV*D values per plane.
   */
  append(sequence: SequenceId, source: Float32Array, rows: number): void {
    const slot = this.#slot(sequence)
    const { keyValueHeads, headSize, contextLength } = this.#options
    const end = slot.cachedLength + rows
    assert(end <= contextLength, `sequence would cache ${end} of ${contextLength} positions`)
    if (end > slot.capacity) this.#grow(slot, roundUp(end))
    const rowLength = keyValueHeads * headSize
    const sourceStride = slot.planes.length * rowLength
    assert(source.length >= rows * sourceStride, 'source holds fewer rows than are appended')
    for (const [index, plane] of slot.planes.entries()) {
      for (let head = 0; head < keyValueHeads; head++) {
        let from = index * rowLength + head * headSize
        let to = (head * slot.capacity + slot.cachedLength) * headSize
        for (let row = 0; row < rows; row++, from += sourceStride) {
          for (let i = 0; i < headSize; i++) plane[to++] = source[from + i]!
        }
      }
    }
    slot.cachedLength = end
  }

  /** Free and used slots are all slots, and none is both. */
  checkIntegrity(): void {
    const { sequencesMax, contextLength } = this.#options
    const slots = [...this.#free, ...this.#used.values()]
    assert(
      slots.length === sequencesMax,
      `${this.#free.length} free + ${this.#used.size} used slots are not ${sequencesMax}`,
    )
    const indices = new Set(slots.map((slot) => slot.index))
    assert(indices.size === sequencesMax, 'a slot is listed twice')
    for (const slot of this.#free) assert(slot.cachedLength === 0, 'a free slot caches positions')
    for (const { cachedLength, capacity } of slots) {
      assert(cachedLength <= capacity, 'a slot caches more than its capacity')
      assert(cachedLength <= contextLength, 'a slot caches more than the context')
    }
  }

  /** Spreads the heads to the new capacity, last head first so that none is overwritten before it moved. */
  #grow(slot: Slot, capacity: number): void {
    const { keyValueHeads, headSize } = this.#options
    const from = slot.capacity * headSize
    const to = capacity * headSize
    for (const plane of slot.planes) {
      for (let head = keyValueHeads - 1; head > 0; head--) {
        plane.copyWithin(head * to, head * from, (head + 1) * from)
      }
    }
    slot.capacity = capacity
  }

  #slot(sequence: SequenceId): Slot {
    const slot = this.#used.get(sequence)
    assert(slot !== undefined, `sequence ${sequence} is not open`)
    return slot
  }
}

/** Bytes that one sequence reserves. */
export function kvBytesPerSequence(shape: KvShape, contextLength: number): number {
  const { layers, keyValueHeads, headSize } = shape
  return 2 * layers * keyValueHeads * headSize * roundUp(contextLength) * 4
}

function roundUp(positions: number): number {
  return Math.max(1, Math.ceil(positions / BUCKET_POSITIONS)) * BUCKET_POSITIONS
}
