import { DONE, REFUSED, type Frame, type Replacement } from './frame.ts'
import { WHOLE_DIGITS_MAX } from './number-range.ts'
import type { DecimalRange } from './rule.ts'

const [MINUS, POINT, ZERO, NINE] = [0x2d, 0x2e, 0x30, 0x39]
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

  constructor(range: DecimalRange, written: Written = NOTHING) {
    this.#range = range
    this.#written = written
    const { wholeDigits, fractionDigits } = written
    this.mayEnd = wholeDigits > 0 && fractionDigits !== 0 && this.#isWithin()
  }

  /** At least: behind some digits it may take several more. */
  get least(): number {
    return this.mayEnd ? 0 : 1
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
    return this.#meets(this.#written.negative, units, units)
  }

  /** Whether some digits behind what is written, or none, give a number in the range. */
  #leadsInto({ negative, value, wholeDigits, fractionDigits }: Written): boolean {
    const digits = this.#range.fractionDigits
    const reach = (scale: bigint): boolean =>
      this.#meets(negative, value * scale, (value + 1n) * scale - 1n)
    if (fractionDigits !== undefined) return reach(10n ** BigInt(digits - fractionDigits))
    if (wholeDigits === 0)
      return this.#meets(negative, 0n, 10n ** BigInt(WHOLE_DIGITS_MAX + digits))
    const more = value === 0n ? 0 : WHOLE_DIGITS_MAX - wholeDigits
    for (let count = 0; count <= more; count += 1) {
      if (reach(10n ** BigInt(count + digits))) return true
    }
    return false
  }

  /** Whether a number of a magnitude from `low` to `high` is in the range. There is no -0. */
  #meets(negative: boolean, low: bigint, high: bigint): boolean {
    const { low: rangeLow, high: rangeHigh } = this.#range
    if (!negative) return low <= rangeHigh && high >= rangeLow
    const least = low > 0n ? low : 1n
    return least <= high && -high <= rangeHigh && -least >= rangeLow
  }
}
