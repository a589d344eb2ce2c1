import { ApiError, assert } from '@setblock/shared'

import type { SequenceId } from './engine.ts'

/** Host memory that the caches of all sequences may take together if nothing else is said. */
export const KV_BYTES_MAX_DEFAULT = 8 * 1024 ** 3

export interface KvPoolOptions {
  readonly sequencesMax: number
  /** Keys and values of every layer: 2 * layers. */
  readonly planes: number
  /** Values per position in a plane: KV*D. */
  readonly rowLength: number
  /** Positions a sequence may cache. */
  readonly contextLength: number
  /** Positions a plane has room for: more than the context, since a forward's rows follow it. */
  readonly planePositions: number
}

interface Slot {
  readonly index: number
  /**
   * Plane 2*l holds the keys of layer l and plane 2*l + 1 its values, (planePositions, rowLength).
   * Zeros behind the cached positions.
   */
  readonly planes: readonly Float32Array[]
  cachedLength: number
}

/**
 * Cached keys and values on the host. Each sequence owns one slot, with every position it may ever
 * need reserved at start: nothing is allocated per step. Positions are contiguous, so the graph is
 * fed a slot's planes as they lie.
 */
export class KvPool {
  readonly #options: KvPoolOptions
  readonly #free: Slot[] = []
  readonly #used = new Map<SequenceId, Slot>()
  #nextId = 1

  constructor(options: KvPoolOptions) {
    this.#options = options
    const planeLength = options.planePositions * options.rowLength
    for (let index = options.sequencesMax - 1; index >= 0; index--) {
      const planes = Array.from({ length: options.planes }, () => new Float32Array(planeLength))
      this.#free.push({ index, planes, cachedLength: 0 })
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
    const written = slot.cachedLength * this.#options.rowLength
    for (const plane of slot.planes) plane.fill(0, 0, written)
    slot.cachedLength = 0
    this.#free.push(slot)
  }

  cachedLength(sequence: SequenceId): number {
    return this.#slot(sequence).cachedLength
  }

  /** The first `positions` rows of every plane, (positions, rowLength) each; a view, not a copy. */
  planes(sequence: SequenceId, positions: number): readonly Float32Array[] {
    const { planePositions, rowLength } = this.#options
    assert(positions <= planePositions, `${positions} positions exceed ${planePositions}`)
    return this.#slot(sequence).planes.map((plane) => plane.subarray(0, positions * rowLength))
  }

  /**
   * Caches `rows` more positions. `source` holds them in the layout of the graph's `new_rows`: row
   * after row, each with rowLength values per plane.
   */
  append(sequence: SequenceId, source: Float32Array, rows: number): void {
    const slot = this.#slot(sequence)
    const { planes, rowLength, contextLength } = this.#options
    const start = slot.cachedLength
    const end = start + rows
    assert(end <= contextLength, `sequence would cache ${end} of ${contextLength} positions`)
    assert(source.length >= rows * planes * rowLength, 'source holds fewer rows than are appended')
    for (const [index, plane] of slot.planes.entries()) {
      for (let row = 0; row < rows; row++) {
        const from = (row * planes + index) * rowLength
        plane.set(source.subarray(from, from + rowLength), (start + row) * rowLength)
      }
    }
    slot.cachedLength = end
  }

  /** A copy of cached rows in the layout that `append` takes. */
  read(sequence: SequenceId, start: number, rows: number): Float32Array<ArrayBuffer> {
    const slot = this.#slot(sequence)
    const { planes, rowLength } = this.#options
    const end = start + rows
    assert(
      end <= slot.cachedLength,
      `rows ${start}..${end} are not all within the ${slot.cachedLength} cached`,
    )
    const copy = new Float32Array(rows * planes * rowLength)
    for (const [index, plane] of slot.planes.entries()) {
      for (let row = 0; row < rows; row++) {
        const from = (start + row) * rowLength
        copy.set(plane.subarray(from, from + rowLength), (row * planes + index) * rowLength)
      }
    }
    return copy
  }

  /** Free and used slots are all slots, and none is both. @throws InvariantError */
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
    for (const { cachedLength } of slots) {
      assert(cachedLength <= contextLength, 'a slot caches more than the context')
    }
  }

  #slot(sequence: SequenceId): Slot {
    const slot = this.#used.get(sequence)
    assert(slot !== undefined, `sequence ${sequence} is not open`)
    return slot
  }
}

/**
 * How many of the sequences fit into so many bytes. Several need twice their slots, since a batch's
 * planes are fed from a copy that joins them.
 */
export function sequencesWithin(options: KvPoolOptions, bytesMax: number): number {
  const bytes = slotBytes(options)
  if (bytes > bytesMax) return 0
  return Math.min(options.sequencesMax, Math.max(1, Math.floor(bytesMax / (2 * bytes))))
}

/** Bytes in which `sequencesWithin` finds room for all of the sequences. */
export function bytesForAll(options: KvPoolOptions): number {
  return slotBytes(options) * (options.sequencesMax === 1 ? 1 : 2 * options.sequencesMax)
}

/** Bytes of one sequence's cache. */
export function slotBytes({ planes, rowLength, planePositions }: KvPoolOptions): number {
  return planes * planePositions * rowLength * Float32Array.BYTES_PER_ELEMENT
}
