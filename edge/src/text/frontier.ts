/**
 * The frontier of a generation: the first position that is still masked. Tokens are revealed in
 * any order; only those below the frontier are text.
 */
export interface Frontier {
  /**
   * Takes revealed tokens and gives those that the frontier passes now, in order.
   * Throws RangeError for a position outside the generation or revealed before.
   */
  reveal(positions: readonly number[], tokenIds: readonly number[]): number[]
  /** True while a position above the frontier is revealed, so that there is a hole below it. */
  hasHole(): boolean
}

/** `start` is the position of the first generated token, `end` the first one beyond the limit. */
export function createFrontier({ start, end }: { start: number; end: number }): Frontier {
  const waiting = new Map<number, number>()
  let next = start
  return {
    reveal(positions, tokenIds) {
      if (positions.length !== tokenIds.length) {
        throw new RangeError(`${positions.length} positions for ${tokenIds.length} tokens`)
      }
      positions.forEach((position, index) => {
        if (position < next || waiting.has(position)) {
          throw new RangeError(`position ${position} was revealed before`)
        }
        if (position >= end) throw new RangeError(`position ${position} is not below ${end}`)
        waiting.set(position, tokenIds[index] as number)
      })
      const passed: number[] = []
      for (let id = waiting.get(next); id !== undefined; id = waiting.get(next)) {
        waiting.delete(next)
        passed.push(id)
        next += 1
      }
      return passed
    },
    hasHole: () => waiting.size > 0,
  }
}
