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
 * value's size in its buffer.
 */
export function widen(raw: Uint8Array, dtype: Dtype, target: Float32Array): void {
  const { buffer, byteOffset } = raw
  const count = target.length
  switch (dtype) {
    case 'F32':
      return target.set(new Float32Array(buffer, byteOffset, count))
    case 'BF16':
      return widenBfloat16(new Uint16Array(buffer, byteOffset, count), target)
    case 'F16':
      return widenHalves(new Uint16Array(buffer, byteOffset, count), target)
  }
}

/** bfloat16 is the upper half of a float32. */
function widenBfloat16(halves: Uint16Array, target: Float32Array): void {
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length)
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16
}

let halfTable: Float32Array | undefined

/** The bits of binary16 to float32. */
export function widenHalves(halves: Uint16Array, target: Float32Array): void {
  halfTable ??= Float32Array.from({ length: 2 ** 16 }, (_, half) => halfToNumber(half))
  for (let i = 0; i < halves.length; i++) target[i] = halfTable[halves[i]!]!
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
  for (let i = 0; i < bits.length; i++) {
    const sign = (bits[i]! >>> 16) & 0x8000
    const magnitude = bits[i]! & 0x7fffffff
    let half: number
    if (magnitude >= OVERFLOW_BITS) {
      half = HALF_INFINITY
    } else if (magnitude < NORMAL_BITS) {
      half = roundToEven(Math.abs(values[i]!) * 2 ** 24)
    } else {
      // The exponent moves to its new bias; the carry of the rounding may run into it, as it should.
      const odd = (magnitude >>> 13) & 1
      half = (magnitude - ((127 - 15) << 23) + 0xfff + odd) >>> 13
    }
    target[offset + i] = sign | half
  }
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
