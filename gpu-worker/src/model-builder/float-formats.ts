/** The number formats of checkpoints and graphs, widened to float32 and narrowed from it. */

const DTYPE_BYTES = { F32: 4, F16: 2, BF16: 2 } as const
export type Dtype = keyof typeof DTYPE_BYTES

export const DTYPES = Object.keys(DTYPE_BYTES) as readonly Dtype[]

export function dtypeBytes(dtype: Dtype): number {
  return DTYPE_BYTES[dtype]
}

/** Largest finite binary16. */
export const HALF_MAX = 65_504

/**
 * Little-endian values to float32, as many as `target` holds. `raw` must lie at a multiple of the
 * value's size in its buffer. The largest magnitude is found on the way, because a pass of its own
 * would take as long again: magnitudes compare like the integers of their bits, and infinity and NaN
 * are the largest.
 *
 * @returns the largest magnitude; not finite if a value is not
 */
export function widen(raw: Uint8Array, dtype: Dtype, target: Float32Array): number {
  const { buffer, byteOffset } = raw
  const count = target.length
  switch (dtype) {
    case 'F32':
      target.set(new Float32Array(buffer, byteOffset, count))
      return largestOf(new Uint32Array(target.buffer, target.byteOffset, count))
    case 'BF16':
      return widenBfloat16(new Uint16Array(buffer, byteOffset, count), target)
    case 'F16':
      return widenHalves(new Uint16Array(buffer, byteOffset, count), target)
  }
}

function largestOf(floatBits: Uint32Array): number {
  let largest = 0
  for (let i = 0; i < floatBits.length; i++) {
    const magnitude = floatBits[i]! & 0x7fffffff
    if (magnitude > largest) largest = magnitude
  }
  return floatOf(largest)
}

/** bfloat16 is the upper half of a float32. */
function widenBfloat16(halves: Uint16Array, target: Float32Array): number {
  const bits = new Int32Array(target.buffer, target.byteOffset, target.length)
  const even = halves.length - (halves.length % 2)
  let largest = even < halves.length ? halves[even]! & 0x7fff : 0
  if (even < halves.length) bits[even] = halves[even]! << 16
  // Two in a turn: the turn itself costs as much as a value.
  for (let i = 0; i < even; i += 2) {
    const half = halves[i]!
    const next = halves[i + 1]!
    bits[i] = half << 16
    bits[i + 1] = next << 16
    if ((half & 0x7fff) > largest) largest = half & 0x7fff
    if ((next & 0x7fff) > largest) largest = next & 0x7fff
  }
  return floatOf(largest << 16)
}

let filledTable: Float32Array | undefined

function halfTable(): Float32Array {
  return (filledTable ??= Float32Array.from({ length: 2 ** 16 }, (_, half) => halfToNumber(half)))
}

/** The bits of binary16 to float32. @returns the largest magnitude, as `widen` does */
export function widenHalves(halves: Uint16Array, target: Float32Array): number {
  const table = halfTable()
  let largest = 0
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i]!
    target[i] = table[half]!
    const magnitude = half & 0x7fff
    if (magnitude > largest) largest = magnitude
  }
  return table[largest]!
}

const oneWord = new Uint32Array(1)
const oneFloat = new Float32Array(oneWord.buffer)

function floatOf(bits: number): number {
  oneWord[0] = bits
  return oneFloat[0]!
}

/** IEEE 754 binary16: sign 1, exponent 5 (bias 15), fraction 10. */
export function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

const HALF_INFINITY = 0x7c00
/** Bits of the float32 2^16, from which on binary16 is infinite, and of 2^-14, its least normal. */
const OVERFLOW_BITS = (127 + 16) << 23
const NORMAL_BITS = (127 - 14) << 23

/**
 * Float32 values to binary16 bits, rounded to the nearest, ties to even; too large is infinity.
 * Writes `values.length` entries of `target` from `offset` on.
 */
export function toHalves(values: Float32Array, target: Uint16Array, offset = 0): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  for (let i = 0; i < bits.length; i++) target[offset + i] = halfOf(bits[i]!, values[i]!)
}

/** The float32 next to `value`, rounded to what binary16 can hold, as `toHalves` does. */
export function roundToHalf(value: number): number {
  oneFloat[0] = value
  return halfTable()[halfOf(oneWord[0]!, Math.fround(value))]!
}

/** `bits` are those of the float32 `value`. */
function halfOf(bits: number, value: number): number {
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude >= OVERFLOW_BITS) return sign | HALF_INFINITY
  if (magnitude < NORMAL_BITS) return sign | roundToEven(Math.abs(value) * 2 ** 24)
  // The exponent moves to its new bias; the carry of the rounding may run into it, as it should.
  const odd = (magnitude >>> 13) & 1
  return sign | ((magnitude - ((127 - 15) << 23) + 0xfff + odd) >>> 13)
}

/** Float32 values to the bytes of a format, rounded to the nearest, ties to even. */
export function narrow(values: Float32Array, dtype: Dtype): Uint8Array {
  switch (dtype) {
    case 'F32':
      return new Uint8Array(values.slice().buffer)
    case 'F16': {
      const halves = new Uint16Array(values.length)
      toHalves(values, halves)
      return new Uint8Array(halves.buffer)
    }
    case 'BF16': {
      const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
      // The carry of the rounding may run into the exponent, as it should.
      const halves = Uint16Array.from(bits, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16)
      return new Uint8Array(halves.buffer)
    }
  }
}

function roundToEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1
  return floor + (floor & 1)
}
