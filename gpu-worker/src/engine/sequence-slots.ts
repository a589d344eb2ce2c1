import { ApiError, assert } from '@setblock/shared'

import type { SequenceId } from './engine.ts'

interface Slot {
  readonly index: number
  cachedLength: number
}

/**
 * Which of the slots 0, 1, ... is whose, and how many positions each caches. Each sequence owns one
 * slot, with every position it may ever need reserved at start.
 */
export class SequenceSlots {
  readonly #sequencesMax: number
  readonly #contextLength: number
  readonly #free: Slot[] = []
  readonly #used = new Map<SequenceId, Slot>()
  #nextId = 1

  constructor(options: { readonly sequencesMax: number; readonly contextLength: number }) {
    this.#sequencesMax = options.sequencesMax
    this.#contextLength = options.contextLength
    for (let index = this.#sequencesMax - 1; index >= 0; index--) {
      this.#free.push({ index, cachedLength: 0 })
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

  isOpen(sequence: SequenceId): boolean {
    return this.#used.has(sequence)
  }

  close(sequence: SequenceId): void {
    const slot = this.#slot(sequence)
    this.#used.delete(sequence)
    slot.cachedLength = 0
    this.#free.push(slot)
  }

  indexOf(sequence: SequenceId): number {
    return this.#slot(sequence).index
  }

  cachedLength(sequence: SequenceId): number {
    return this.#slot(sequence).cachedLength
  }

  /** Counts `rows` more positions as cached. */
  advance(sequence: SequenceId, rows: number): void {
    const slot = this.#slot(sequence)
    const end = slot.cachedLength + rows
    const max = this.#contextLength
    assert(end <= max, `sequence would cache ${end} of ${max} positions`)
    slot.cachedLength = end
  }

  assertCached(sequence: SequenceId, start: number, rows: number): void {
    const { cachedLength } = this.#slot(sequence)
    const end = start + rows
    assert(
      end <= cachedLength,
      `rows ${start}..${end} are not all within the ${cachedLength} cached`,
    )
  }

  /** Free and used slots are all slots, and none is both. @throws InvariantError */
  checkIntegrity(): void {
    const slots = [...this.#free, ...this.#used.values()]
    assert(
      slots.length === this.#sequencesMax,
      `${this.#free.length} free + ${this.#used.size} used slots are not ${this.#sequencesMax}`,
    )
    const indices = new Set(slots.map((slot) => slot.index))
    assert(indices.size === this.#sequencesMax, 'a slot is listed twice')
    for (const slot of this.#free) assert(slot.cachedLength === 0, 'a free slot caches positions')
    for (const { cachedLength } of slots) {
      assert(cachedLength <= this.#contextLength, 'a slot caches more than the context')
    }
  }

  #slot(sequence: SequenceId): Slot {
    const slot = this.#used.get(sequence)
    assert(slot !== undefined, `sequence ${sequence} is not open`)
    return slot
  }
}
