import type { Architecture, RopeScaling } from '@setblock/shared'

type Rope = Pick<Architecture, 'headSize' | 'ropeTheta' | 'ropeScaling'>

export interface RopeTables {
  /** (positions, headSize / 2) each. */
  readonly cos: Float32Array
  readonly sin: Float32Array
}

/**
 * Rotation tables, half-split convention: element i pairs with element i + D/2, and turns by position
 * * frequency(i). Computed in double precision.
 */
export function ropeTables(rope: Rope, positions: number): RopeTables {
  const frequencies = ropeFrequencies(rope)
  const half = frequencies.length
  const scale = rope.ropeScaling?.type === 'yarn' ? rope.ropeScaling.attentionFactor : 1
  const cos = new Float32Array(positions * half)
  const sin = new Float32Array(positions * half)
  for (let position = 0; position < positions; position++) {
    for (const [i, frequency] of frequencies.entries()) {
      const angle = position * frequency
      cos[position * half + i] = Math.cos(angle) * scale
      sin[position * half + i] = Math.sin(angle) * scale
    }
  }
  return { cos, sin }
}

/** Radians by which pair i turns from one position to the next: theta^(-2i/D), then the scaling. */
export function ropeFrequencies({ headSize, ropeTheta, ropeScaling }: Rope): number[] {
  const plain = Array.from({ length: headSize / 2 }, (_, i) => ropeTheta ** ((-2 * i) / headSize))
  switch (ropeScaling?.type) {
    case undefined:
      return plain
    case 'linear':
      return plain.map((frequency) => frequency / ropeScaling.factor)
    case 'llama3':
      return plain.map((frequency) => llama3(frequency, ropeScaling))
    case 'yarn': {
      const ramp = yarnRamp(ropeScaling, headSize, ropeTheta)
      return plain.map((frequency, i) => {
        const kept = 1 - ramp(i)
        return (frequency / ropeScaling.factor) * (1 - kept) + frequency * kept
      })
    }
  }
}

type Llama3 = Extract<RopeScaling, { type: 'llama3' }>
type Yarn = Extract<RopeScaling, { type: 'yarn' }>

/** Llama 3.1: long waves are slowed down, short ones kept, those between blended. */
function llama3(frequency: number, scaling: Llama3): number {
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalPositions } = scaling
  const wavesInContext = (originalPositions * frequency) / (2 * Math.PI)
  if (wavesInContext < low) return frequency / factor
  if (wavesInContext > high) return frequency
  const smooth = (wavesInContext - low) / (high - low)
  return ((1 - smooth) * frequency) / factor + smooth * frequency
}

/**
 * YaRN (arXiv 2309.00071): which share of pair i is slowed down, 0 for pairs that turn betaFast times
 * within the original context and 1 for those that turn betaSlow times or less.
 */
function yarnRamp(scaling: Yarn, headSize: number, theta: number): (i: number) => number {
  const pairWithTurns = (turns: number) =>
    (headSize * Math.log(scaling.originalPositions / (turns * 2 * Math.PI))) / (2 * Math.log(theta))
  let low = pairWithTurns(scaling.betaFast)
  let high = pairWithTurns(scaling.betaSlow)
  if (scaling.truncate) {
    low = Math.floor(low)
    high = Math.ceil(high)
  }
  low = Math.max(low, 0)
  high = Math.min(high, headSize - 1)
  if (low === high) high += 0.001 // as transformers does, so that nothing is divided by zero
  return (i) => Math.max(0, Math.min(1, (i - low) / (high - low)))
}
