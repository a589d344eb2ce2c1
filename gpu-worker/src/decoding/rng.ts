/**
 * Uniform number in [0, 1) that depends on (seed, position) alone, not on how many draws came before: the same seed
 * then gives the same text however many tokens a forward revealed. Two rounds of the splitmix32 finaliser.
 */
export function uniform(seed: number, position: number): number {
  const mixed = mix(mix(seed >>> 0) ^ Math.imul(position + 1, 0x9e3779b9))
  return mixed / 2 ** 32
}

/** Bijection on 32-bit integers with good avalanche. */
function mix(value: number): number {
  let z = (value + 0x9e3779b9) >>> 0
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
  return (z ^ (z >>> 15)) >>> 0
}
