import { distances, type Automaton } from './automaton.ts'

/** The fewest characters from each state to an end, and the bytes of the shortest of those ways. */
export interface FewestCharacters {
  readonly characters: Float64Array
  readonly bytes: Float64Array
}

/** The ways from each state to an end, found when they are first asked for; infinite where there is none. */
export class Ways {
  readonly #automaton: Automaton
  /** Bytes of the shortest character of each letter. */
  readonly #weights: readonly number[]
  #bytes: Float64Array | undefined
  #fewest: FewestCharacters | undefined

  constructor(automaton: Automaton, weights: readonly number[]) {
    this.#automaton = automaton
    this.#weights = weights
  }

  /** Bytes of the shortest way. */
  get bytes(): Float64Array {
    return (this.#bytes ??= distances(this.#automaton, this.#weights))
  }

  get fewest(): FewestCharacters {
    return (this.#fewest ??= this.#findFewest())
  }

  #findFewest(): FewestCharacters {
    const { letterCount, next, accepts } = this.#automaton
    const ones = this.#weights.map(() => 1)
    const characters = distances(this.#automaton, ones)
    const bytes = new Float64Array(accepts.length).fill(Number.POSITIVE_INFINITY)
    const nearestFirst = [...accepts.keys()].toSorted(
      (a, b) => (characters[a] as number) - (characters[b] as number),
    )
    for (const state of nearestFirst) {
      if (accepts[state] === true) bytes[state] = 0
      for (const [letter, weight] of this.#weights.entries()) {
        const target = next[state * letterCount + letter] as number
        if ((characters[target] as number) + 1 !== characters[state]) continue
        bytes[state] = Math.min(bytes[state] as number, weight + (bytes[target] as number))
      }
    }
    return { characters, bytes }
  }
}
