import { DONE, Literal, REFUSED, type Frame, type Replacement } from '../frame.ts'
import type { Run } from './alphabet.ts'
import { ESCAPED, escapeOf } from './json-characters.ts'
import type { StringLanguage, StringPlace } from './string-language.ts'

const [QUOTE, BACKSLASH] = [0x22, 0x5c]
const CONTINUATION_BITS = 6
/** By the number of bytes that follow it: the least first byte, and the least code point (Unicode 16, table 3-7). */
const LEADS = [0x80, 0xc0, 0xe0, 0xf0]
const LEAD_LAST = 0xf4
const LOWEST = [0, 0x80, 0x800, 0x10000]

/** The frames of one language, each made when it is first needed. */
export class LanguageBodies {
  readonly language: StringLanguage
  readonly #known = new Map<string, LanguageBody>()

  constructor(language: StringLanguage) {
    this.language = language
  }

  at(place: StringPlace): LanguageBody {
    const key = `${place.state} ${place.left}`
    const known = this.#known.get(key) ?? new LanguageBody(this, place)
    this.#known.set(key, known)
    return known
  }

  /** The frame behind a character; undefined if it may not come. */
  after(place: StringPlace, codePoint: number): LanguageBody | undefined {
    const { alphabet } = this.language
    const run = alphabet.runs[alphabet.indexOf(codePoint)]
    const next = run && run.low <= codePoint && this.language.after(place, run.letter)
    return next ? this.at(next) : undefined
  }
}

/**
 * The rest of a JSON string that is one of a language, its quote included. A character is written in one way: as itself,
 * or escaped where JSON demands it.
 */
class LanguageBody implements Frame {
  readonly mayEnd = false
  readonly least: number
  readonly #bodies: LanguageBodies
  readonly #place: StringPlace
  readonly #next = new Map<number, readonly Replacement[]>()
  #only: { readonly byte: number | undefined } | undefined

  constructor(bodies: LanguageBodies, place: StringPlace) {
    this.#bodies = bodies
    this.#place = place
    this.least = bodies.language.least(place) + 1
  }

  get only(): number | undefined {
    this.#only ??= { byte: this.#findOnly() }
    return this.#only.byte
  }

  #findOnly(): number | undefined {
    const { language } = this.#bodies
    if (!language.mayEnd(this.#place)) return language.firstByte(this.#place)
    return language.goesOn(this.#place) ? undefined : QUOTE
  }

  step(byte: number): readonly Replacement[] {
    const known = this.#next.get(byte) ?? this.#step(byte)
    this.#next.set(byte, known)
    return known
  }

  #step(byte: number): readonly Replacement[] {
    if (byte === QUOTE) return this.#bodies.language.mayEnd(this.#place) ? DONE : REFUSED
    if (byte === BACKSLASH) return this.#escapes()
    if (byte < 0x20) return REFUSED
    if (byte < 0x80) return asReplacement(this.#bodies.after(this.#place, byte))
    const more = LEADS.findLastIndex((lead) => byte >= lead)
    if (more < 1 || byte > LEAD_LAST) return REFUSED
    const low = (byte & (0x3f >> more)) << (CONTINUATION_BITS * more)
    const begun = { low, more, lowest: LOWEST[more] as number }
    return asReplacement(PartCharacter.from(this.#bodies, this.#place, begun))
  }

  /** Behind a backslash: what the escapes of the characters that may come go on with. */
  #escapes(): readonly Replacement[] {
    const texts = new Map<LanguageBody, string[]>()
    for (const codePoint of ESCAPED) {
      const body = this.#bodies.after(this.#place, codePoint)
      if (body === undefined) continue
      texts.set(body, [...(texts.get(body) ?? []), escapeOf(codePoint).slice(1)])
    }
    return [...texts].map(([body, escapes]) => [Literal.of(...escapes), body])
  }
}

/** What the bytes of a character so far say of it. */
interface Begun {
  /** The least code point they may lead to. */
  readonly low: number
  /** Bytes that follow. */
  readonly more: number
  /** The least one that is written with so many bytes. */
  readonly lowest: number
}

/** The rest of a character of several bytes, and of the string behind it. */
class PartCharacter implements Frame {
  readonly mayEnd = false
  readonly least: number
  readonly #bodies: LanguageBodies
  readonly #place: StringPlace
  readonly #begun: Begun
  #only: { readonly byte: number | undefined } | undefined

  private constructor(bodies: LanguageBodies, place: StringPlace, begun: Begun, least: number) {
    this.#bodies = bodies
    this.#place = place
    this.#begun = begun
    this.least = begun.more + least
  }

  /** Undefined if no character that may come begins so. */
  static from(bodies: LanguageBodies, place: StringPlace, begun: Begun): PartCharacter | undefined {
    const least = leastBehind(bodies, place, begun)
    return least === undefined ? undefined : new PartCharacter(bodies, place, begun, least)
  }

  get only(): number | undefined {
    this.#only ??= { byte: this.#findOnly() }
    return this.#only.byte
  }

  #findOnly(): number | undefined {
    const may = Array.from({ length: 0x40 }, (_, bits) => 0x80 | bits).filter(
      (byte) => this.step(byte) !== REFUSED,
    )
    return may.length === 1 ? may[0] : undefined
  }

  step(byte: number): readonly Replacement[] {
    if (byte < 0x80 || byte > 0xbf) return REFUSED
    const { lowest } = this.#begun
    const more = this.#begun.more - 1
    const low = this.#begun.low | ((byte & 0x3f) << (CONTINUATION_BITS * more))
    if (more > 0) {
      return asReplacement(PartCharacter.from(this.#bodies, this.#place, { low, more, lowest }))
    }
    return asReplacement(this.#bodies.after(this.#place, low))
  }
}

/** Bytes of the shortest rest of the string behind a character begun so; undefined if there is none. */
function leastBehind(
  { language }: LanguageBodies,
  place: StringPlace,
  { low, more, lowest }: Begun,
): number | undefined {
  const { runs } = language.alphabet
  const last = low + (1 << (CONTINUATION_BITS * more)) - 1
  const first = Math.max(low, lowest)
  if (first > last) return undefined
  let least: number | undefined
  for (let at = language.alphabet.indexOf(first); at < runs.length; at += 1) {
    const run = runs[at] as Run
    if (run.low > last) break
    const next = language.after(place, run.letter)
    if (next !== undefined)
      least = Math.min(least ?? Number.POSITIVE_INFINITY, language.least(next) + 1)
  }
  return least
}

function asReplacement(frame: Frame | undefined): readonly Replacement[] {
  return frame === undefined ? REFUSED : [[frame]]
}
