/**
 * Whether two regular expressions of the NL-RX notation stand for the same language, decided by automata.
 *
 * Operators from weak to strong: `|`, `&` (both), sequence, `* + {n,}`, `~` (anything but). `\b` marks the edge of a word; here it is a
 * letter of its own, which `.` does not match, because complement and intersection of zero-width marks have no meaning.
 */
import { CharSet, DFA, NFA } from 'refa'

const CODE_MAX = 0x7f
const BOUNDARY = CODE_MAX + 1
const REPEATS_MAX = 50
const SPECIAL = new Set('|&*+{}~()[].\\')

/** Undefined where one of them is no such expression, or its automaton has too many states. */
export function sameLanguage(a: string, b: string): boolean | undefined {
  try {
    const [left, right] = [a, b].map((text) => new Parser(text).parse()) as [NFA, NFA]
    return contains(left, right) && contains(right, left)
  } catch {
    return undefined
  }
}

/** Whether every word of `inner` is one of `outer`: nothing of it is left outside. */
function contains(outer: NFA, inner: NFA): boolean {
  // refa 0.12.1 calls some minimal automata structurally equal that are not, so that is not asked.
  return DFA.fromIntersection(complementOf(outer), inner).isEmpty
}

function complementOf(language: NFA): DFA {
  const all = DFA.fromFA(language)
  all.complement()
  return all
}

/** Recursive descent; every method returns an automaton that nobody else holds. */
class Parser {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  parse(): NFA {
    const whole = this.#union()
    if (this.#at < this.#text.length) throw new SyntaxError(`unexpected at ${this.#at}`)
    return whole
  }

  #union(): NFA {
    const all = this.#intersection()
    while (this.#take('|')) all.union(this.#intersection())
    return all
  }

  #intersection(): NFA {
    let all = this.#sequence()
    while (this.#take('&')) all = NFA.fromIntersection(all, this.#sequence())
    return all
  }

  #sequence(): NFA {
    const all = this.#repeat()
    while (this.#at < this.#text.length && !')|&'.includes(this.#next)) all.append(this.#repeat())
    return all
  }

  #repeat(): NFA {
    const one = this.#complement()
    for (;;) {
      if (this.#take('*')) one.quantify(0, Infinity)
      else if (this.#take('+')) one.quantify(1, Infinity)
      else if (this.#take('{')) one.quantify(this.#repeats(), Infinity)
      else return one
    }
  }

  #repeats(): number {
    const end = this.#text.indexOf(',}', this.#at)
    const digits = this.#text.slice(this.#at, end)
    if (end < 0 || !/^\d+$/.test(digits) || Number(digits) > REPEATS_MAX) {
      throw new SyntaxError(`no count at ${this.#at}`)
    }
    this.#at = end + 2
    return Number(digits)
  }

  #complement(): NFA {
    return this.#take('~') ? NFA.fromFA(complementOf(this.#complement())) : this.#atom()
  }

  #atom(): NFA {
    if (this.#take('(')) {
      const inner = this.#union()
      this.#expect(')')
      return inner
    }
    if (this.#take('[')) return NFA.fromCharSet(this.#class())
    if (this.#take('.')) return range(0, CODE_MAX)
    if (this.#take('\\')) {
      this.#expect('b')
      return range(BOUNDARY, BOUNDARY)
    }
    return this.#letter()
  }

  #letter(): NFA {
    const code = this.#next.charCodeAt(0)
    if (Number.isNaN(code) || code > CODE_MAX || SPECIAL.has(this.#next)) {
      throw new SyntaxError(`no letter at ${this.#at}`)
    }
    this.#at += 1
    return range(code, code)
  }

  #class(): CharSet {
    const end = this.#text.indexOf(']', this.#at)
    const parts = this.#text.slice(this.#at, end).match(/[^-]-[^-]|[^-]/g)
    if (end < 0 || parts === null) throw new SyntaxError(`no class at ${this.#at}`)
    this.#at = end + 1
    const ranges = parts.map((part) => ({
      min: part.charCodeAt(0),
      max: part.at(-1)!.charCodeAt(0),
    }))
    return CharSet.empty(BOUNDARY).union(ranges)
  }

  get #next(): string {
    return this.#text[this.#at] ?? ''
  }

  #take(character: string): boolean {
    const found = this.#next === character
    if (found) this.#at += 1
    return found
  }

  #expect(character: string): void {
    if (!this.#take(character)) throw new SyntaxError(`no ${character} at ${this.#at}`)
  }
}

function range(min: number, max: number): NFA {
  return NFA.fromCharSet(CharSet.fromRange(BOUNDARY, { min, max }))
}
