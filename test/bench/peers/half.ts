const [floats, bits] = (() => {
  const buffer = new ArrayBuffer(4)
  return [new Float32Array(buffer), new Uint32Array(buffer)]
})()

/** IEEE 754 binary16 bits of a number, rounded to nearest even; too large becomes infinite. */
export function numberToHalf(value: number): number {
  floats[0] = value
  const word = bits[0] as number
  const sign = (word >>> 16) & 0x8000
  const exponent = ((word >>> 23) & 0xff) - 127 + 15
  const fraction = word & 0x7fffff
  if (exponent >= 31) return sign | 0x7c00
  if (exponent <= 0) return sign | roundShift(fraction | 0x800000, 14 - exponent)
  // A fraction that rounds up to 1 carries into the exponent, which is what it should do.
  return sign | ((exponent << 10) + roundShift(fraction, 13))
}

function roundShift(value: number, shift: number): number {
  if (shift > 24) return 0
  const half = 2 ** (shift - 1)
  const floor = Math.floor(value / 2 ** shift)
  const rest = value - floor * 2 ** shift
  return rest > half || (rest === half && floor % 2 === 1) ? floor + 1 : floor
}
