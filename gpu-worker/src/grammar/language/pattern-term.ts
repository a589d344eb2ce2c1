import type { Alphabet } from './alphabet.ts'
import { WORD, type CodePoints } from './code-points.ts'
import { LanguageError } from './language-error.ts'
import { looksAround, looksBack, type Pattern } from './pattern.ts'
import type { Term, Terms, WorkBudget } from './terms.ts'

/** How often a part that looks around may be repeated if there is an end to it: each time is written out. */
const WRITTEN_OUT_MAX = 64

/** What was just taken: nothing yet, a letter of a word, or another. */
type Behind = 'start' | 'word' | 'other'

/** The strings that may follow, by what is behind them. It looks ahead by itself; this is all it sees of what was. */
type Rest = Readonly<Record<Behind, Term>>

/** Makes terms of patterns. What a pattern says of its surroundings is told to what follows it: from right to left. */
export class PatternTerms {
  readonly #terms: Terms
  readonly #alphabet: Alphabet
  readonly #budget: WorkBudget
  /** The letters of words; none of them where no pattern asks for words. */
  readonly #wordMask: bigint

  constructor(terms: Terms, alphabet: Alphabet, budget: WorkBudget) {
    this.#terms = terms
    this.#budget = budget
    this.#alphabet = alphabet
    this.#wordMask = alphabet.maskOf(WORD) ?? 0n
  }

  /** All strings in which the pattern is found somewhere. */
  found(pattern: Pattern): Term {
    const { all } = this.#terms
    const rest = this.#before(pattern, alike(all))
    return this.#terms.either(rest.start, this.#behindSome(all, rest))
  }

  /** Strings of `head`, none of them empty, and then what may follow them. */
  #behindSome(head: Term, { word, other }: Rest): Term {
    const { all } = this.#terms
    const endingIn = (mask: bigint, rest: Term): Term => {
      const ending = this.#then(all, this.#terms.letters(mask))
      return this.#then(this.#terms.both(head, ending), rest)
    }
    if (word === other) return endingIn(this.#alphabet.all, other)
    return this.#terms.either(
      endingIn(this.#wordMask, word),
      endingIn(this.#alphabet.all & ~this.#wordMask, other),
    )
  }

  #then(head: Term, tail: Term): Term {
    return this.#terms.sequence(head, tail)
  }

  /** What may come from before the pattern on, if `rest` may follow it. */
  #before(pattern: Pattern, rest: Rest): Rest {
    this.#budget.spend(1)
    const { empty, none } = this.#terms
    switch (pattern.kind) {
      case 'set':
        return alike(this.#letter(pattern.set, rest))
      case 'sequence':
        return pattern.parts.reduceRight<Rest>((after, part) => this.#before(part, after), rest)
      case 'either': {
        const options = pattern.options.map((option) => this.#before(option, rest))
        return each((behind) => this.#terms.either(...options.map((option) => option[behind])))
      }
      case 'repeat':
        return looksAround(pattern.part)
          ? this.#writtenOut(pattern, rest)
          : this.#repeated(pattern, rest)
      case 'ahead': {
        const ahead = this.#before(pattern.part, alike(this.#terms.all))
        return each((behind) => {
          const term = pattern.negate ? this.#terms.not(ahead[behind]) : ahead[behind]
          return this.#terms.both(term, rest[behind])
        })
      }
      case 'edge':
        if (pattern.at === 'start') return { start: rest.start, word: none, other: none }
        if (pattern.at === 'end') return each((behind) => this.#terms.both(empty, rest[behind]))
        return this.#atWord(pattern.at === 'word', rest)
    }
  }

  #letter(set: CodePoints, { word, other }: Rest): Term {
    const mask = this.#alphabet.maskOf(set) ?? 0n
    const taken = (letters: bigint, rest: Term): Term =>
      this.#then(this.#terms.letters(letters), rest)
    if (word === other) return taken(mask, other)
    return this.#terms.either(
      taken(mask & this.#wordMask, word),
      taken(mask & ~this.#wordMask, other),
    )
  }

  /** Where a word begins or ends, or where it does not. */
  #atWord(edge: boolean, rest: Rest): Rest {
    const beginsWithWord = this.#then(this.#terms.letters(this.#wordMask), this.#terms.all)
    return each((behind) => {
      const wordFollows = (behind === 'word') !== edge
      const follows = wordFollows ? beginsWithWord : this.#terms.not(beginsWithWord)
      return this.#terms.both(follows, rest[behind])
    })
  }

  /** A repetition of what does not look around: a language of its own. */
  #repeated({ part, min, max }: Repeat, rest: Rest): Rest {
    const terms = this.#terms
    const once = this.#before(part, alike(terms.empty)).other
    const repeated = terms.repeat(once, min, max)
    if (isAlike(rest)) return alike(this.#then(repeated, rest.other))
    const some = this.#behindSome(repeated, rest)
    if (!terms.nullable(repeated)) return alike(some)
    return each((behind) => terms.either(rest[behind], some))
  }

  #writtenOut({ part, min, max }: Repeat, rest: Rest): Rest {
    const endless = max === Number.POSITIVE_INFINITY
    const times = endless ? min : max
    if (times > WRITTEN_OUT_MAX) {
      const text = `repeats a part that looks around more than ${WRITTEN_OUT_MAX} times`
      throw new LanguageError(text)
    }
    let before = endless ? this.#endless(part, rest) : rest
    for (let time = times; time > 0; time -= 1) {
      const once = this.#before(part, before)
      before = time > min ? each((behind) => this.#terms.either(rest[behind], once[behind])) : once
    }
    return before
  }

  /** None or more of a part that takes at least one letter each time. */
  #endless(part: Pattern, rest: Rest): Rest {
    const other = this.#terms.later()
    const oneLoop = isAlike(rest) && !looksBack(part)
    const start = oneLoop ? other : this.#terms.later()
    const word = oneLoop || this.#wordMask === 0n ? other : this.#terms.later()
    const loops = { start, word, other }
    const once = this.#before(part, loops)
    for (const behind of ['start', 'word', 'other'] as const) {
      loops[behind].of.term = this.#terms.either(rest[behind], once[behind])
    }
    return loops
  }
}

type Repeat = Extract<Pattern, { kind: 'repeat' }>

function each(term: (behind: Behind) => Term): Rest {
  return { start: term('start'), word: term('word'), other: term('other') }
}

function alike(term: Term): Rest {
  return { start: term, word: term, other: term }
}

function isAlike({ start, word, other }: Rest): boolean {
  return start === other && word === other
}
