import { DONE, REFUSED, type Frame, type Replacement } from './frame.ts'
import { commonDivisor, WHOLE_DIGITS_MAX } from './number-range.ts'
import type { DecimalRange } from './rule.ts'

const [MINUS, POINT, ZERO, NINE] = [0x2d, 0x2e, 0x30, 0x39]
/** Sign, digits and point. */
const BYTES_MAX = 2 * WHOLE_DIGITS_MAX
const NUMBER_BYTES = Array.from('.0123456789', (sign) => sign.charCodeAt(0))

interface Written {
  readonly negative: boolean
  /** All digits as one number. */
  readonly value: bigint
  readonly wholeDigits: number
  /** Digits behind the point; undefined before it. */
  readonly fractionDigits: number | undefined
}

const NOTHING: Written = {
  negative: false,
  value: 0n,
  wholeDigits: 0,
  fractionDigits: undefined,
}

/** A number within a range, digit by digit: a byte may come if digits behind it can still lead into the range. */
export class DecimalFrame implements Frame {
  readonly only = undefined
  readonly mayEnd: boolean
  readonly #range: DecimalRange
  readonly #written: Written
  #least: number | undefined

  constructor(range: DecimalRange, written: Written = NOTHING) {
    this.#range = range
    this.#written = written
    const { wholeDigits, fractionDigits } = written
    this.mayEnd = wholeDigits > 0 && fractionDigits !== 0 && this.#isWithin()
  }

  get least(): number {
    return (this.#least ??= this.mayEnd ? 0 : this.#findLeast())
  }

  #findLeast(): number {
    const { wholeDigits, negative } = this.#written
    const mayTurn = wholeDigits === 0 && !negative
    const turned = { ...NOTHING, negative: true }
    for (let bytes = 1; bytes <= BYTES_MAX; bytes += 1) {
      if (this.#endsBehind(this.#written, bytes)) return bytes
      if (mayTurn && this.#endsBehind(turned, bytes - 1)) return bytes
    }
    throw new Error('no number of the range begins so')
  }

  /** Whether a number in the range is longer by so many bytes; for fewer bytes that is known. */
  #endsBehind({ negative, value, wholeDigits, fractionDigits }: Written, bytes: number): boolean {
    const { fractionDigits: digits, step } = this.#range
    const ends = (whole: number, fraction: number): boolean => {
      const unused = digits - fraction - (fractionDigits ?? 0)
      const wholeAll = wholeDigits + whole
      if (unused < 0 || wholeAll === 0 || wholeAll > WHOLE_DIGITS_MAX) return false
      const [scale, unit] = [10n ** BigInt(whole + fraction), 10n ** BigInt(unused)]
      const last = (value + 1n) * scale - 1n
      const multiple = (step * unit) / commonDivisor(step, unit)
      return this.#meets(negative, [value * scale * unit, last * unit], multiple)
    }
    if (fractionDigits !== undefined) return ends(0, bytes)
    const mayGrow = wholeDigits === 0 || value !== 0n
    if (mayGrow && ends(bytes, 0)) return true
    // One byte is the point.
    for (let whole = mayGrow ? bytes - 2 : 0; whole >= 0; whole -= 1) {
      if (ends(whole, bytes - 1 - whole)) return true
    }
    return false
  }

  step(byte: number): readonly Replacement[] {
    const next = this.#behind(byte)
    if (next === undefined) return REFUSED
    return next.mayEnd && !next.#mayGoOn() ? DONE : [[next]]
  }

  #behind(byte: number): DecimalFrame | undefined {
    const next = this.#append(byte)
    const fits = next !== undefined && this.#leadsInto(next)
    return fits ? new DecimalFrame(this.#range, next) : undefined
  }

  #mayGoOn(): boolean {
    return NUMBER_BYTES.some((byte) => this.#behind(byte) !== undefined)
  }

  #append(byte: number): Written | undefined {
    const { negative, value, wholeDigits, fractionDigits } = this.#written
    if (byte === MINUS)
      return wholeDigits > 0 || negative ? undefined : { ...NOTHING, negative: true }
    if (byte === POINT) {
      const may = wholeDigits > 0 && fractionDigits === undefined && this.#range.fractionDigits > 0
      return may ? { ...this.#written, fractionDigits: 0 } : undefined
    }
    if (byte < ZERO || byte > NINE) return undefined
    const longer = value * 10n + BigInt(byte - ZERO)
    if (fractionDigits !== undefined) {
      if (fractionDigits === this.#range.fractionDigits) return undefined
      return { negative, value: longer, wholeDigits, fractionDigits: fractionDigits + 1 }
    }
    const full = wholeDigits === WHOLE_DIGITS_MAX || (wholeDigits > 0 && value === 0n)
    return full
      ? undefined
      : { negative, value: longer, wholeDigits: wholeDigits + 1, fractionDigits }
  }

  #isWithin(): boolean {
    const { value, fractionDigits = 0 } = this.#written
    const units = value * 10n ** BigInt(this.#range.fractionDigits - fractionDigits)
    return this.#meets(this.#written.negative, [units, units])
  }

  /** Whether some digits behind what is written, or none, give a number in the range. */
  #leadsInto({ negative, value, wholeDigits, fractionDigits }: Written): boolean {
    const digits = this.#range.fractionDigits
    const reach = (scale: bigint): boolean =>
      this.#meets(negative, [value * scale, (value + 1n) * scale - 1n])
    if (fractionDigits !== undefined) return reach(10n ** BigInt(digits - fractionDigits))
    if (wholeDigits === 0)
      return this.#meets(negative, [0n, 10n ** BigInt(WHOLE_DIGITS_MAX + digits)])
    const more = value === 0n ? 0 : WHOLE_DIGITS_MAX - wholeDigits
    for (let count = 0; count <= more; count += 1) {
      if (reach(10n ** BigInt(count + digits))) return true
    }
    return false
  }

  /** Whether a multiple of a magnitude from `low` to `high` is in the range. There is no -0. */
  #meets(
    negative: boolean,
    [low, high]: readonly [bigint, bigint],
    multiple = this.#range.step,
  ): boolean {
    const { low: rangeLow, high: rangeHigh } = this.#range
    const [least, most] = negative ? [-rangeHigh, -rangeLow] : [rangeLow, rangeHigh]
    const from = largest(low, least, negative ? 1n : 0n)
    const to = high < most ? high : most
    return from <= to && to - (to % multiple) >= from
  }
}

function largest(...values: readonly bigint[]): bigint {
  return values.reduce((a, b) => (a > b ? a : b))
}
