/** Largest magnitude used: -128 is left out so that the range is symmetric. */
export const INT8_MAX = 127

/**
 * Math.round(value / scale) at a third of its time: a product instead of the quotient, made positive
 * so that cutting off its fraction rounds it down. Quotients of two float32 are a half exactly, or
 * differ from one by more than 2^-34, and the product is off by less than 2^-44: what is added to the
 * half lies between, so that every code is the same.
 */
const ROUNDING_BASE = 128
const ROUNDING = ROUNDING_BASE + 0.5 + 2 ** -40

/** Rows without any larger value count as zeros: their scale would not be a normal float32. */
const NOTHING = 2 ** -110

/**
 * Symmetric int8 with one scale for the row: value = code * scale. Writes the codes from `offset`
 * on and returns the scale, which is 1 for a row of zeros, so that nothing divides by zero.
 */
export function quantiseRow(
  values: Float32Array,
  largest: number,
  codes: Int8Array,
  offset: number,
): number {
  const scale = largest < NOTHING ? 1 : Math.fround(largest / INT8_MAX)
  const inverse = 1 / scale
  const even = values.length - (values.length % 2)
  // Two in a turn: the turn itself costs as much as a value.
  for (let i = 0; i < even; i += 2) {
    codes[offset + i] = int8Code(values[i]! * inverse)
    codes[offset + i + 1] = int8Code(values[i + 1]! * inverse)
  }
  if (even < values.length) codes[offset + even] = int8Code(values[even]! * inverse)
  return scale
}

function int8Code(value: number): number {
  return ((value + ROUNDING) | 0) - ROUNDING_BASE
}

/** Values that share a scale in the 4-bit form. */
export const Q4_BLOCK = 32
const Q4_ZERO = 8
const Q4_MAX = 15

/**
 * Symmetric 4-bit in blocks of 32: value = (code - 8) * scale, where the scale makes the value of
 * largest magnitude exactly -8 times it, so that all 16 codes are of use. Two codes to a byte, the
 * earlier one in the low half. `roundScale` gives the scale as the graph will hold it.
 */
export function quantiseRowQ4(
  values: Float32Array,
  roundScale: (scale: number) => number,
  codes: Uint8Array,
  scales: Float32Array,
): void {
  for (let first = 0, block = 0; first < values.length; first += Q4_BLOCK, block++) {
    const scale = roundScale(extremeOf(values, first) / -Q4_ZERO)
    scales[block] = scale
    const inverse = scale === 0 ? 0 : 1 / scale
    for (let i = first; i < first + Q4_BLOCK; i += 2) {
      codes[i / 2] = q4Code(values[i]! * inverse) | (q4Code(values[i + 1]! * inverse) << 4)
    }
  }
}

/** The value of largest magnitude in the block that begins at `first`. */
function extremeOf(values: Float32Array, first: number): number {
  let [extreme, largest] = [0, 0]
  for (let i = first; i < first + Q4_BLOCK; i++) {
    const magnitude = Math.abs(values[i]!)
    if (magnitude > largest) {
      largest = magnitude
      extreme = values[i]!
    }
  }
  return extreme
}

/** Rounded as in `quantiseRow`; what a rounded scale leaves outside of the codes goes to their end. */
const Q4_ROUNDING = Q4_ZERO + 0.5 + 2 ** -40

function q4Code(value: number): number {
  const code = (value + Q4_ROUNDING) | 0
  return code < 0 ? 0 : code > Q4_MAX ? Q4_MAX : code
}
