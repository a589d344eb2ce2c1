import { Alphabet, type Letter } from './alphabet.ts'
import { distances, explore, type Automaton } from './automaton.ts'
import { ANY } from './code-points.ts'
import { shortest, writtenAs, type Written } from './json-characters.ts'
import { LanguageError } from './language-error.ts'
import { PatternTerms } from './pattern-term.ts'
import { setsOf, type Pattern } from './pattern.ts'
import { Terms, type WorkBudget } from './terms.ts'

/** A place in a string: the state its characters lead to, and how many characters may still come. */
export interface StringPlace {
  readonly state: number
  readonly left: number
}

/** The strings of some patterns and lengths, as an automaton over characters. */
export class StringLanguage {
  readonly alphabet: Alphabet
  readonly start: StringPlace
  readonly #automaton: Automaton
  readonly #written: readonly Written[]
  /** By state: the fewest characters to an end. Only where their number is bounded. */
  readonly #characters: Float64Array | undefined
  /** By state: the bytes of the shortest way to an end; of those with the fewest characters, where these are bounded. */
  readonly #bytes: Float64Array

  private constructor(alphabet: Alphabet, automaton: Automaton, max: number) {
    this.alphabet = alphabet
    this.#automaton = automaton
    this.start = { state: 0, left: max }
    this.#written = Array.from({ length: alphabet.letterCount }, (_, letter) =>
      shortest(alphabet.runs.filter((run) => run.letter === letter).map(writtenAs)),
    )
    const weights = this.#written.map(({ bytes }) => bytes)
    if (max === Number.POSITIVE_INFINITY) this.#bytes = distances(automaton, weights)
    else {
      const characters = distances(
        automaton,
        weights.map(() => 1),
      )
      this.#characters = characters
      this.#bytes = bytesOfFewest(automaton, characters, weights)
    }
  }

  /**
   * The strings of at least `min` characters (code points) in which each of the patterns is found somewhere.
   * @throws LanguageError if there is none, or they are too many to be followed.
   */
  static of(patterns: readonly Pattern[], min: number, budget: WorkBudget): StringLanguage {
    const sets = [ANY, ...patterns.flatMap(setsOf)]
    budget.spend(sets.reduce((sum, set) => sum + set.length, 0))
    const alphabet = new Alphabet(sets)
    const terms = new Terms(alphabet.all, budget)
    const maker = new PatternTerms(terms, alphabet)
    const atLeast = terms.repeat(terms.letters(alphabet.all), min, Number.POSITIVE_INFINITY)
    const whole = terms.both(atLeast, ...patterns.map((pattern) => maker.found(pattern)))
    const automaton = explore(terms, whole, alphabet, budget)
    return new StringLanguage(alphabet, automaton, Number.POSITIVE_INFINITY).#orRefuse()
  }

  /** Those of at most `max` characters. @throws LanguageError if there is none. */
  atMost(max: number): StringLanguage {
    if (max === this.start.left) return this
    return new StringLanguage(this.alphabet, this.#automaton, max).#orRefuse()
  }

  #orRefuse(): this {
    if (!this.leadsOn(this.start))
      throw new LanguageError('no string satisfies pattern, format and length together')
    return this
  }

  /** The place behind a letter; undefined if no string goes on there. */
  after({ state, left }: StringPlace, letter: Letter): StringPlace | undefined {
    const { letterCount, next } = this.#automaton
    const place = { state: next[state * letterCount + letter] as number, left: left - 1 }
    return this.leadsOn(place) ? place : undefined
  }

  mayEnd({ state }: StringPlace): boolean {
    return this.#automaton.accepts[state] as boolean
  }

  /** Bytes of the shortest way to an end, the quote not counted. */
  least({ state }: StringPlace): number {
    return this.#bytes[state] as number
  }

  leadsOn({ state, left }: StringPlace): boolean {
    const fewest = (this.#characters ?? this.#bytes)[state] as number
    return fewest <= left && fewest < Number.POSITIVE_INFINITY
  }

  /** Whether a character may come. */
  goesOn(place: StringPlace): boolean {
    return this.#written.some((_, letter) => this.after(place, letter) !== undefined)
  }

  /** The first byte of all characters that may come; undefined where there are several, or none. */
  firstByte(place: StringPlace): number | undefined {
    let only: number | undefined
    for (let letter = 0; letter < this.alphabet.letterCount; letter += 1) {
      if (this.after(place, letter) === undefined) continue
      const byte = this.#written[letter]?.firstByte
      if (byte === undefined || (only !== undefined && only !== byte)) return undefined
      only = byte
    }
    return only
  }
}

/** By state, the bytes of the shortest way among those with the fewest characters. */
function bytesOfFewest(
  { letterCount, next, accepts }: Automaton,
  characters: Float64Array,
  weights: readonly number[],
): Float64Array {
  const bytes = new Float64Array(accepts.length).fill(Number.POSITIVE_INFINITY)
  const nearestFirst = [...accepts.keys()].toSorted(
    (a, b) => (characters[a] as number) - (characters[b] as number),
  )
  for (const state of nearestFirst) {
    if (accepts[state] === true) bytes[state] = 0
    for (const [letter, weight] of weights.entries()) {
      const target = next[state * letterCount + letter] as number
      if ((characters[target] as number) + 1 !== characters[state]) continue
      bytes[state] = Math.min(bytes[state] as number, weight + (bytes[target] as number))
    }
  }
  return bytes
}
