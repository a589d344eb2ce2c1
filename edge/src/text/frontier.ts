/**
 * The frontier of a generation: the first position that is still masked. Tokens are revealed in
 * any order; only those below the frontier are text.
 */
export interface Frontier<Token> {
  /**
   * Takes revealed tokens and gives those that the frontier passes now, in order.
   * Throws RangeError for a position outside the generation or revealed before.
   */
  reveal(positions: readonly number[], tokens: readonly Token[]): Token[]
  /** True while a position above the frontier is revealed, so that there is a hole below it. */
  hasHole(): boolean
}

/** `start` is the position of the first generated token, `end` the first one beyond the limit. */
export function createFrontier<Token>(range: { start: number; end: number }): Frontier<Token> {
  const { start, end } = range
  const waiting = new Map<number, { token: Token }>()
  let next = start
  return {
    reveal(positions, tokens) {
      if (positions.length !== tokens.length) {
        throw new RangeError(`${positions.length} positions for ${tokens.length} tokens`)
      }
      positions.forEach((position, index) => {
        if (position < next || waiting.has(position)) {
          throw new RangeError(`position ${position} was revealed before`)
        }
        if (position >= end) throw new RangeError(`position ${position} is not below ${end}`)
        waiting.set(position, { token: tokens[index] as Token })
      })
      const passed: Token[] = []
      for (let held = waiting.get(next); held !== undefined; held = waiting.get(next)) {
        waiting.delete(next)
        passed.push(held.token)
        next += 1
      }
      return passed
    },
    hasHole: () => waiting.size > 0,
  }
}
