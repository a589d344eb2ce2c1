/** The tokens of a sequence as they become known, in any order. */
export class SequenceText {
  readonly #tokenIds: number[]
  /** Revealed beyond the first hole. */
  readonly #ahead = new Map<number, number>()

  constructor(promptIds: readonly number[]) {
    this.#tokenIds = [...promptIds]
  }

  add(positions: readonly number[], tokenIds: readonly number[]): void {
    for (const [index, position] of positions.entries()) {
      this.#ahead.set(position, tokenIds[index] as number)
    }
    for (;;) {
      const next = this.#ahead.get(this.#tokenIds.length)
      if (next === undefined) return
      this.#ahead.delete(this.#tokenIds.length)
      this.#tokenIds.push(next)
    }
  }

  /** The tokens before the first hole. */
  known(): readonly number[] {
    return this.#tokenIds
  }
}
