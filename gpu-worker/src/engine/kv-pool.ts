import { assert } from '@setblock/shared'

import type { SequenceId } from './engine.ts'
import { SequenceSlots } from './sequence-slots.ts'

/** Host memory that the caches of all sequences may take together if nothing else is said. */
export const KV_BYTES_MAX_DEFAULT = 8 * 1024 ** 3

/** Keys and values as a graph takes them: float32, or the bits of float16. */
export type KvValues = Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>

/** As ONNX calls them. */
export type KvType = 'float32' | 'float16'

export interface KvPoolOptions {
  /** Of the values; float32 if absent. */
  readonly type?: KvType
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

/**
 * Cached keys and values on the host. A sequence's positions are contiguous, so the graph is fed a
 * slot's planes as they lie; nothing is allocated per step.
 */
export class KvPool {
  readonly #options: KvPoolOptions
  readonly #slots: SequenceSlots
  /**
   * By slot. Plane 2*l holds the keys of layer l and plane 2*l + 1 its values, (planePositions,
   * rowLength). Zeros behind the cached positions.
   */
  readonly #planes: readonly (readonly KvValues[])[]

  constructor(options: KvPoolOptions) {
    this.#options = options
    this.#slots = new SequenceSlots(options)
    const planeLength = options.planePositions * options.rowLength
    this.#planes = Array.from({ length: options.sequencesMax }, () =>
      Array.from({ length: options.planes }, () => createValues(options.type, planeLength)),
    )
  }

  /** @throws ApiError `overloaded` if every slot is taken. */
  open(): SequenceId {
    return this.#slots.open()
  }

  /** Wiped, so that nothing of one sequence stays where the next one lives. Idempotent. */
  close(sequence: SequenceId): void {
    if (!this.#slots.isOpen(sequence)) return
    const written = this.cachedLength(sequence) * this.#options.rowLength
    for (const plane of this.#planesOf(sequence)) plane.fill(0, 0, written)
    this.#slots.close(sequence)
  }

  cachedLength(sequence: SequenceId): number {
    return this.#slots.cachedLength(sequence)
  }

  /** The first `positions` rows of every plane, (positions, rowLength) each; a view, not a copy. */
  planes(sequence: SequenceId, positions: number): readonly KvValues[] {
    const { planePositions, rowLength } = this.#options
    assert(positions <= planePositions, `${positions} positions exceed ${planePositions}`)
    return this.#planesOf(sequence).map((plane) => plane.subarray(0, positions * rowLength))
  }

  /**
   * Caches `rows` more positions. `source` holds them in the layout of the graph's `new_rows`: row
   * after row, each with rowLength values per plane.
   */
  append(sequence: SequenceId, source: KvValues, rows: number): void {
    const { planes, rowLength } = this.#options
    const start = this.cachedLength(sequence)
    assert(source.length >= rows * planes * rowLength, 'source holds fewer rows than are appended')
    this.#slots.advance(sequence, rows)
    for (const [index, plane] of this.#planesOf(sequence).entries()) {
      for (let row = 0; row < rows; row++) {
        const from = (row * planes + index) * rowLength
        plane.set(source.subarray(from, from + rowLength), (start + row) * rowLength)
      }
    }
  }

  /** A copy of cached rows in the layout that `append` takes. */
  read(sequence: SequenceId, start: number, rows: number): KvValues {
    const { planes, rowLength } = this.#options
    this.#slots.assertCached(sequence, start, rows)
    const copy = createValues(this.#options.type, rows * planes * rowLength)
    for (const [index, plane] of this.#planesOf(sequence).entries()) {
      for (let row = 0; row < rows; row++) {
        const from = (start + row) * rowLength
        copy.set(plane.subarray(from, from + rowLength), (row * planes + index) * rowLength)
      }
    }
    return copy
  }

  /** Free and used slots are all slots, and none is both. @throws InvariantError */
  checkIntegrity(): void {
    this.#slots.checkIntegrity()
  }

  #planesOf(sequence: SequenceId): readonly KvValues[] {
    return this.#planes[this.#slots.indexOf(sequence)]!
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
export function slotBytes({ planes, rowLength, planePositions, type }: KvPoolOptions): number {
  return planes * planePositions * rowLength * valueBytes(type)
}

export function createValues(type: KvType | undefined, length: number): KvValues {
  return type === 'float16' ? new Uint16Array(length) : new Float32Array(length)
}

function valueBytes(type: KvType | undefined): number {
  return type === 'float16' ? Uint16Array.BYTES_PER_ELEMENT : Float32Array.BYTES_PER_ELEMENT
}
