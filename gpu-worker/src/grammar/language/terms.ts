import type { Letter } from './alphabet.ts'
import { LanguageError } from './language-error.ts'

/** Work that making one language, or all of a schema, may take: terms made and their parts, steps of the automaton. */
const WORK_MAX = 400_000
/** How often following a letter into a term may call itself. */
const DEPTH_MAX = 400

/** A language: a set of strings of letters. Two terms made alike are the same object. */
export type Term = { readonly id: number } & (
  | { readonly kind: 'none' }
  | { readonly kind: 'empty' }
  /** Strings of one letter, out of those whose bits are set. */
  | { readonly kind: 'letters'; readonly mask: bigint }
  | { readonly kind: 'then'; readonly head: Term; readonly tail: Term }
  | { readonly kind: 'repeat'; readonly part: Term; readonly min: number; readonly max: number }
  | { readonly kind: 'either' | 'both'; readonly parts: readonly Term[] }
  | { readonly kind: 'not'; readonly part: Term }
  /** A term that is made later, and may contain this one behind at least one letter. */
  | { readonly kind: 'later'; readonly of: { term: Term | undefined } }
)

type Shape = Term extends infer T ? (T extends Term ? Omit<T, 'id'> : never) : never

/** Counts work down to nothing. */
export class WorkBudget {
  #left = WORK_MAX

  /** @throws LanguageError when there is none left. */
  spend(work: number): void {
    this.#left -= work
    if (this.#left < 0) throw new LanguageError('patterns and formats take too much work to follow')
  }
}

/**
 * Regular languages with "both" and "not", and what is left of them behind a letter (Brzozowski, Derivatives of Regular
 * Expressions, 1964). Terms are kept in a simple normal form, so that only finitely many are reached.
 */
export class Terms {
  readonly #known = new Map<string, Term>()
  readonly #nullable: (boolean | undefined)[] = []
  readonly #behind: Term[][] = []
  readonly #budget: WorkBudget
  #count = 0
  #depth = 0
  readonly none: Term
  readonly empty: Term
  readonly all: Term

  /** `letters`: the bits of all letters. */
  constructor(letters: bigint, budget: WorkBudget) {
    this.#budget = budget
    this.none = this.#make('none', { kind: 'none' })
    this.empty = this.#make('empty', { kind: 'empty' })
    const part = this.letters(letters)
    const shape = { kind: 'repeat', part, min: 0, max: Number.POSITIVE_INFINITY } as const
    this.all = this.#make(`r${part.id},0,Infinity`, shape)
  }

  #make(key: string, shape: Shape): Term {
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const term = { ...shape, id: this.#count++ } as Term
    this.#known.set(key, term)
    return term
  }

  letters(mask: bigint): Term {
    return mask === 0n ? this.none : this.#make(`l${mask}`, { kind: 'letters', mask })
  }

  /** A term to be told later by setting `of.term`. */
  later(): Extract<Term, { kind: 'later' }> {
    const shape: Shape = { kind: 'later', of: { term: undefined } }
    return this.#make(`later${this.#count}`, shape) as Extract<Term, { kind: 'later' }>
  }

  /** `head` must not contain a `later`. */
  sequence(head: Term, tail: Term): Term {
    this.#budget.spend(1)
    if (head === this.none || tail === this.none) return this.none
    if (head === this.empty) return tail
    if (tail === this.empty) return head
    if (head === this.all && (tail === this.all || startsWith(tail, this.all))) return tail
    if (head.kind === 'then') return this.sequence(head.head, this.sequence(head.tail, tail))
    return this.#make(`t${head.id},${tail.id}`, { kind: 'then', head, tail })
  }

  /** `part` must not contain a `later`. */
  repeat(part: Term, min: number, max: number): Term {
    this.#budget.spend(1)
    if (max === 0 || part === this.empty) return this.empty
    if (part === this.none) return min === 0 ? this.empty : this.none
    const from = this.nullable(part) ? 0 : min
    if (from === 1 && max === 1) return part
    if (part.kind === 'repeat' && part.max === Number.POSITIVE_INFINITY && part.min <= 1) {
      return this.repeat(part.part, from, part.max)
    }
    const key = `r${part.id},${from},${max}`
    return this.#make(key, { kind: 'repeat', part, min: from, max })
  }

  either(...options: readonly Term[]): Term {
    return this.#combine('either', options, this.none, this.all)
  }

  both(...options: readonly Term[]): Term {
    return this.#combine('both', options, this.all, this.none)
  }

  not(part: Term): Term {
    this.#budget.spend(1)
    if (part.kind === 'not') return part.part
    if (part === this.none) return this.all
    if (part === this.all) return this.none
    return this.#make(`n${part.id}`, { kind: 'not', part })
  }

  /** Parts in order, each once, without those that change nothing (`idle`); one that decides (`decisive`) is all there is. */
  #combine(kind: 'either' | 'both', terms: readonly Term[], idle: Term, decisive: Term): Term {
    const parts = new Set(terms.flatMap((term) => (term.kind === kind ? term.parts : [term])))
    this.#budget.spend(1 + parts.size)
    parts.delete(idle)
    let mask: bigint | undefined
    for (const part of parts) {
      const denied = part.kind === 'not' && parts.has(part.part)
      if (part === decisive || denied) return decisive
      if (part.kind !== 'letters') continue
      parts.delete(part)
      if (mask === undefined) mask = part.mask
      else mask = kind === 'either' ? mask | part.mask : mask & part.mask
    }
    if (mask === 0n) return decisive
    if (mask !== undefined) parts.add(this.letters(mask))
    const sorted = [...parts].toSorted((a, b) => a.id - b.id)
    if (sorted.length <= 1) return sorted[0] ?? idle
    const key = `${kind}${sorted.map(({ id }) => id).join()}`
    return this.#make(key, { kind, parts: sorted })
  }

  /** Whether the language has the empty string. */
  nullable(term: Term): boolean {
    return (this.#nullable[term.id] ??= this.#inside(() => this.#isNullable(term)))
  }

  #isNullable(term: Term): boolean {
    switch (term.kind) {
      case 'none':
      case 'letters':
        return false
      case 'empty':
        return true
      case 'then':
        return this.nullable(term.head) && this.nullable(term.tail)
      case 'repeat':
        return term.min === 0
      case 'either':
        return term.parts.some((part) => this.nullable(part))
      case 'both':
        return term.parts.every((part) => this.nullable(part))
      case 'not':
        return !this.nullable(term.part)
      case 'later':
        return this.nullable(term.of.term as Term)
    }
  }

  /** What may follow the letter. */
  behind(term: Term, letter: Letter): Term {
    const known = (this.#behind[term.id] ??= [])
    return (known[letter] ??= this.#inside(() => this.#findBehind(term, letter)))
  }

  #inside<T>(find: () => T): T {
    this.#depth += 1
    if (this.#depth > DEPTH_MAX) throw new LanguageError('is nested too deeply')
    const found = find()
    this.#depth -= 1
    return found
  }

  #findBehind(term: Term, letter: Letter): Term {
    this.#budget.spend(1)
    switch (term.kind) {
      case 'none':
      case 'empty':
        return this.none
      case 'letters':
        return (term.mask >> BigInt(letter)) & 1n ? this.empty : this.none
      case 'then': {
        const { head, tail } = term
        const inside = this.sequence(this.behind(head, letter), tail)
        return this.nullable(head) ? this.either(inside, this.behind(tail, letter)) : inside
      }
      case 'repeat': {
        const { part, min, max } = term
        const rest = this.repeat(part, Math.max(0, min - 1), max - 1)
        return this.sequence(this.behind(part, letter), rest)
      }
      case 'either':
        return this.either(...term.parts.map((part) => this.behind(part, letter)))
      case 'both':
        return this.both(...term.parts.map((part) => this.behind(part, letter)))
      case 'not':
        return this.not(this.behind(term.part, letter))
      case 'later':
        return this.behind(term.of.term as Term, letter)
    }
  }
}

function startsWith(term: Term, head: Term): boolean {
  return term.kind === 'then' && term.head === head
}
