/**
 * When objects were used last, milliseconds, of the so many that were used latest. No two uses are at one time, and they
 * are in order even when the clock is not.
 */
export class UseTimes {
  readonly #entriesMax: number
  /** In order of use, the least recent first. */
  readonly #usedMs = new Map<string, number>()
  #lastMs = 0

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax
  }

  get size(): number {
    return this.#usedMs.size
  }

  /** Undefined of what was used too long ago, or never. */
  of(name: string): number | undefined {
    return this.#usedMs.get(name)
  }

  /** Notes the use of several at once, of which the first counts as the latest. */
  note(names: readonly string[], nowMs: number): void {
    this.#lastMs = Math.max(this.#lastMs + 1, nowMs)
    for (const [index, name] of [...names.entries()].toReversed()) {
      this.#usedMs.delete(name)
      this.#usedMs.set(name, this.#lastMs - index / names.length)
    }
    for (const name of this.#usedMs.keys()) {
      if (this.#usedMs.size <= this.#entriesMax) return
      this.#usedMs.delete(name)
    }
  }

  /** Forgets all others. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const name of this.#usedMs.keys()) if (!names.has(name)) this.#usedMs.delete(name)
  }
}
