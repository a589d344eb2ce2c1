import { Alphabet, type Letter } from './alphabet.ts'
import { explore, type Automaton } from './automaton.ts'
import { ANY } from './code-points.ts'
import { shortest, writtenAs, type Written } from './json-characters.ts'
import { LanguageError } from './language-error.ts'
import { PatternTerms } from './pattern-term.ts'
import { setsOf, type Pattern } from './pattern.ts'
import { Terms, type WorkBudget } from './terms.ts'
import { Ways } from './ways.ts'

/** Work that a span of a set costs in the alphabet. */
const SPAN_WORK = 4

/** A place in a string: the state its characters lead to, and how many characters may still come. */
export interface StringPlace {
  readonly state: number
  readonly left: number
}

/** What all languages of the same patterns share, whatever lengths they allow. */
interface Shared {
  readonly alphabet: Alphabet
  readonly automaton: Automaton
  /** By letter. */
  readonly written: readonly Written[]
  readonly ways: Ways
}

/**
 * The strings of some patterns and lengths. A pattern's text is read (read-pattern), becomes a term (pattern-term), and all
 * terms together one automaton over characters (automaton), whose frames take the bytes of JSON text (language-body).
 */
export class StringLanguage {
  readonly start: StringPlace
  readonly #shared: Shared

  private constructor(shared: Shared, max: number) {
    this.#shared = shared
    this.start = { state: 0, left: max }
  }

  /**
   * The strings of at least `min` characters (code points) in which each of the patterns is found somewhere.
   * @throws LanguageError if there is none, or they are too many to be followed.
   */
  static of(patterns: readonly Pattern[], min: number, budget: WorkBudget): StringLanguage {
    const sets = [ANY, ...patterns.flatMap(setsOf)]
    budget.spend(SPAN_WORK * sets.reduce((sum, set) => sum + set.length, 0))
    const alphabet = new Alphabet(sets)
    const terms = new Terms(alphabet.all, budget)
    const maker = new PatternTerms(terms, alphabet, budget)
    const atLeast = terms.repeat(terms.letters(alphabet.all), min, Number.POSITIVE_INFINITY)
    const whole = terms.both(atLeast, ...patterns.map((pattern) => maker.found(pattern)))
    const automaton = explore(terms, whole, alphabet, budget)
    const written = alphabet.runsByLetter().map((runs) => shortest(runs.map(writtenAs)))
    const ways = new Ways(
      automaton,
      written.map(({ bytes }) => bytes),
    )
    const shared = { alphabet, automaton, written, ways }
    return new StringLanguage(shared, Number.POSITIVE_INFINITY).#orRefuse()
  }

  /** Those of at most `max` characters. @throws LanguageError if there is none. */
  atMost(max: number): StringLanguage {
    return max === this.start.left ? this : new StringLanguage(this.#shared, max).#orRefuse()
  }

  #orRefuse(): this {
    if (!this.leadsOn(this.start))
      throw new LanguageError('no string satisfies pattern, format and length together')
    return this
  }

  /** The place behind a letter; undefined if no string goes on there. */
  after({ state, left }: StringPlace, letter: Letter): StringPlace | undefined {
    const { letterCount, next } = this.#shared.automaton
    const place = { state: next[state * letterCount + letter] as number, left: left - 1 }
    return this.leadsOn(place) ? place : undefined
  }

  mayEnd({ state }: StringPlace): boolean {
    return this.#shared.automaton.accepts[state] as boolean
  }

  /**
   * Bytes of the shortest way to an end, the quote not counted; of the shortest with the fewest characters, where their
   * number is bounded.
   */
  least({ state, left }: StringPlace): number {
    const { ways } = this.#shared
    const bytes = left === Number.POSITIVE_INFINITY ? ways.bytes : ways.fewest.bytes
    return bytes[state] as number
  }

  leadsOn({ state, left }: StringPlace): boolean {
    const { ways } = this.#shared
    if (left === Number.POSITIVE_INFINITY) return (ways.bytes[state] as number) < left
    return (ways.fewest.characters[state] as number) <= left
  }

  get alphabet(): Alphabet {
    return this.#shared.alphabet
  }

  /** Whether a character may come. */
  goesOn(place: StringPlace): boolean {
    return this.#shared.written.some((_, letter) => this.after(place, letter) !== undefined)
  }

  /** The first byte of all characters that may come; undefined where there are several, or none. */
  firstByte(place: StringPlace): number | undefined {
    let only: number | undefined
    for (let letter = 0; letter < this.alphabet.letterCount; letter += 1) {
      if (this.after(place, letter) === undefined) continue
      const byte = this.#shared.written[letter]?.firstByte
      if (byte === undefined || (only !== undefined && only !== byte)) return undefined
      only = byte
    }
    return only
  }
}
