import type { DecimalRange } from './rule.ts'
import { schemaError } from './schema-error.ts'

/** Whole numbers of up to this many digits are exact in every JSON parser. */
export const WHOLE_DIGITS_MAX = 15
/** Of a number that need not be whole. */
const FRACTION_DIGITS_MAX = 9

/**
 * The numbers that `minimum`, `maximum` and their exclusive forms leave. A bound is moved inwards to the next number that
 * can be written, and compared as a validator compares: as the double that its text parses to.
 *
 * @throws ApiError where no number is left.
 */
export function readRange(
  schema: Readonly<Record<string, unknown>>,
  type: 'integer' | 'number',
  path: string,
): DecimalRange {
  const fractionDigits = type === 'integer' ? 0 : FRACTION_DIGITS_MAX
  const widest = 10n ** BigInt(WHOLE_DIGITS_MAX + fractionDigits) - 1n
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
  const low = firstTrue(-widest, widest, (units) => holds(units).low)
  const high = firstTrue(-widest, widest, (units) => !holds(units).high) - 1n
  if (low > high) throw schemaError(path, 'no number is within the bounds')
  return { low, high, fractionDigits }
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
