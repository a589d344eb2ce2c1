import type { DecimalRange } from './rule.ts'
import { schemaError } from './schema-error.ts'

/** Whole numbers of up to this many digits are exact in every JSON parser. */
export const WHOLE_DIGITS_MAX = 15
/** Of a number that need not be whole. */
const FRACTION_DIGITS_MAX = 9
/** A decimal as JavaScript writes it: digits, perhaps a point among them, perhaps a power of ten. */
const DECIMAL = /^(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/

/**
 * The numbers that `minimum`, `maximum`, their exclusive forms and `multipleOf` leave. A bound is moved inwards to the next
 * number that can be written, and compared as a validator compares: as the double that its text parses to. A multiple is
 * one of decimal numbers, and has so few digits that its double stands for no other.
 *
 * @throws ApiError where no number is left.
 */
export function readRange(
  schema: Readonly<Record<string, unknown>>,
  type: 'integer' | 'number',
  path: string,
): DecimalRange {
  const multipleOf = readMultiple(schema.multipleOf, path)
  const fractionDigits =
    type === 'integer'
      ? 0
      : Math.min(multipleOf?.fractionDigits ?? FRACTION_DIGITS_MAX, FRACTION_DIGITS_MAX)
  const digits = WHOLE_DIGITS_MAX + (multipleOf === undefined ? fractionDigits : 0)
  const widest = 10n ** BigInt(digits) - 1n
  const read = (keyword: string): number | undefined => {
    const value = schema[keyword]
    if (value === undefined || (typeof value === 'number' && Number.isFinite(value))) return value
    throw schemaError(`${path}/${keyword}`, 'must be a number')
  }
  const [above, over] = [read('minimum'), read('exclusiveMinimum')]
  const [below, under] = [read('maximum'), read('exclusiveMaximum')]
  const holds = (units: bigint): { low: boolean; high: boolean } => {
    const value = Number(writeDecimal(units, fractionDigits))
    return {
      low: (above === undefined || value >= above) && (over === undefined || value > over),
      high: (below === undefined || value <= below) && (under === undefined || value < under),
    }
  }
  // Both conditions are monotone, so the ends of the range are found by halving.
  const step = multipleOf === undefined ? 1n : inUnits(multipleOf, fractionDigits)
  const low = firstTrue(-widest, widest, (units) => holds(units).low)
  const high = firstTrue(-widest, widest, (units) => !holds(units).high) - 1n
  const range = { low: multipleFrom(low, step), high: -multipleFrom(-high, step) }
  if (range.low > range.high) throw schemaError(path, 'no number is within the bounds')
  return { ...range, fractionDigits, step }
}

interface Decimal {
  /** Of 10^-fractionDigits. */
  readonly units: bigint
  readonly fractionDigits: number
}

function readMultiple(value: unknown, path: string): Decimal | undefined {
  if (value === undefined) return undefined
  const text = typeof value === 'number' && value > 0 ? String(value) : ''
  const [, whole, fraction = '', power = '0'] = DECIMAL.exec(text) ?? []
  if (whole === undefined) throw schemaError(`${path}/multipleOf`, 'must be a number above 0')
  const fractionDigits = fraction.length - Number(power)
  const units = BigInt(whole + fraction) * 10n ** BigInt(Math.max(0, -fractionDigits))
  return { units, fractionDigits: Math.max(0, fractionDigits) }
}

/** The least number of units of 10^-digits, above 0, that is a multiple. */
function inUnits({ units, fractionDigits }: Decimal, digits: number): bigint {
  if (fractionDigits <= digits) return units * 10n ** BigInt(digits - fractionDigits)
  return units / commonDivisor(units, 10n ** BigInt(fractionDigits - digits))
}

export function commonDivisor(a: bigint, b: bigint): bigint {
  return b === 0n ? a : commonDivisor(b, a % b)
}

/** The least multiple of `step` that is not below `value`. */
function multipleFrom(value: bigint, step: bigint): bigint {
  const rest = value % step
  return rest > 0n ? value - rest + step : value - rest
}

/** The least value from `low` to `high` for which `test` holds, or `high + 1`; from there on it must hold. */
function firstTrue(low: bigint, high: bigint, test: (value: bigint) => boolean): bigint {
  let [from, to] = [low, high + 1n]
  while (from < to) {
    const middle = (from + to) >> 1n
    if (test(middle)) to = middle
    else from = middle + 1n
  }
  return from
}

/** Units of 10^-fractionDigits as decimal text. */
export function writeDecimal(units: bigint, fractionDigits: number): string {
  const digits = String(units < 0n ? -units : units).padStart(fractionDigits + 1, '0')
  const whole = digits.slice(0, digits.length - fractionDigits)
  const fraction = digits.slice(digits.length - fractionDigits)
  return `${units < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`
}
