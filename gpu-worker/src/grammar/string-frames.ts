import { DONE, REFUSED, type Frame, type Replacement } from './frame.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const [LOWER_U, ESCAPED] = [0x75, new Set(Array.from('"\\/bfnrt', (sign) => sign.charCodeAt(0)))]

/** One byte out of some ranges, then perhaps another frame. */
class OneOf implements Frame {
  readonly mayEnd = false
  readonly only = undefined
  readonly least: number
  readonly #allows: (byte: number) => boolean
  readonly #next: readonly Replacement[]

  constructor(allows: (byte: number) => boolean, next?: Frame) {
    this.#allows = allows
    this.#next = next === undefined ? DONE : [[next]]
    this.least = 1 + (next?.least ?? 0)
  }

  step(byte: number): readonly Replacement[] {
    return this.#allows(byte) ? this.#next : REFUSED
  }
}

const between = (low: number, high: number) => (byte: number) => byte >= low && byte <= high
const isHex = (byte: number): boolean => /[0-9a-fA-F]/.test(String.fromCharCode(byte))

const TAIL_1 = new OneOf(between(0x80, 0xbf))
const TAIL_2 = new OneOf(between(0x80, 0xbf), TAIL_1)
const TAIL_3 = new OneOf(between(0x80, 0xbf), TAIL_2)

/** What must follow the first byte of a character in well-formed UTF-8 (Unicode 16, table 3-7). */
function tailOf(lead: number): Frame | undefined {
  if (lead >= 0xc2 && lead <= 0xdf) return TAIL_1
  switch (lead) {
    case 0xe0:
      return new OneOf(between(0xa0, 0xbf), TAIL_1)
    case 0xed:
      return new OneOf(between(0x80, 0x9f), TAIL_1)
    case 0xf0:
      return new OneOf(between(0x90, 0xbf), TAIL_2)
    case 0xf4:
      return new OneOf(between(0x80, 0x8f), TAIL_2)
    default:
      if (lead > 0xe0 && lead < 0xf0) return TAIL_2
      return lead > 0xf0 && lead < 0xf4 ? TAIL_3 : undefined
  }
}

const HEX_2 = new OneOf(isHex, new OneOf(isHex))
const HEX_3 = new OneOf(isHex, HEX_2)

/** Behind `\u`: four hexadecimal digits that are no half of a surrogate pair. */
const CODE_UNIT: Frame = {
  mayEnd: false,
  only: undefined,
  least: 4,
  step(byte) {
    if (!isHex(byte)) return REFUSED
    const isD = byte === 0x44 || byte === 0x64
    return isD ? [[new OneOf(between(0x30, 0x37), HEX_2)]] : [[HEX_3]]
  },
}

/** Behind a backslash. */
const ESCAPE: Frame = {
  mayEnd: false,
  only: undefined,
  least: 1,
  step(byte) {
    if (ESCAPED.has(byte)) return DONE
    return byte === LOWER_U ? [[CODE_UNIT]] : REFUSED
  },
}

/** The rest of a JSON string behind its opening quote: `min` to `max` characters (code points), then the quote. */
export class StringBody implements Frame {
  readonly mayEnd = false
  readonly least: number
  readonly #min: number
  readonly #max: number
  #next: StringBody | undefined

  constructor(min: number, max: number) {
    this.#min = min
    this.#max = max
    this.least = min + 1
  }

  get only(): number | undefined {
    return this.#max === 0 ? QUOTE : undefined
  }

  step(byte: number): readonly Replacement[] {
    if (byte === QUOTE) return this.#min === 0 ? DONE : REFUSED
    if (this.#max === 0 || byte < 0x20) return REFUSED
    const next = this.#behindOne()
    if (byte === BACKSLASH) return [[ESCAPE, next]]
    if (byte < 0x80) return [[next]]
    const tail = tailOf(byte)
    return tail === undefined ? REFUSED : [[tail, next]]
  }

  /** Itself where its bounds do not change, so that a long string is one state. */
  #behindOne(): StringBody {
    if (this.#min === 0 && this.#max === Number.POSITIVE_INFINITY) return this
    return (this.#next ??= new StringBody(Math.max(0, this.#min - 1), this.#max - 1))
  }
}

export const ANY_STRING_BODY = new StringBody(0, Number.POSITIVE_INFINITY)

/**
 * The rest of a member's name that must be none of some others, given as the bytes of each that still may come. While
 * one may, there are no escapes, which could spell it in another way.
 */
export class OtherName implements Frame {
  readonly mayEnd = false
  readonly only = undefined
  readonly least = 2
  readonly #others: readonly Uint8Array[]
  readonly #at: number

  constructor(others: readonly Uint8Array[], at = 0) {
    this.#others = others
    this.#at = at
  }

  step(byte: number): readonly Replacement[] {
    if (byte === BACKSLASH) return REFUSED
    const same = this.#others.filter((name) => name[this.#at] === byte)
    if (same.length === 0) return ANY_STRING_BODY.step(byte)
    return byte < 0x80 && byte !== QUOTE ? [[new OtherName(same, this.#at + 1)]] : REFUSED
  }
}
