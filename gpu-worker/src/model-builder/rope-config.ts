import type { RopeScaling } from '@setblock/shared'
import * as z from 'zod'

import { ModelError } from '../engine/model-error.ts'

/** What transformers takes where a configuration does not say. */
const ROPE_THETA = 10_000
const YARN_BETA_FAST = 32
const YARN_BETA_SLOW = 1

const positive = z.number().positive()

/** `rope_scaling`, or `rope_parameters` of newer checkpoints, which holds theta as well. */
export const ropeSchema = z.looseObject({
  rope_theta: positive.nullish(),
  rope_type: z.string().nullish(),
  type: z.string().nullish(), // its older name
  factor: positive.nullish(),
  low_freq_factor: positive.nullish(),
  high_freq_factor: positive.nullish(),
  original_max_position_embeddings: z.int().min(1).nullish(),
  attention_factor: positive.nullish(),
  beta_fast: positive.nullish(),
  beta_slow: positive.nullish(),
  mscale: z.number().nullish(),
  mscale_all_dim: z.number().nullish(),
  truncate: z.boolean().nullish(),
  partial_rotary_factor: z.number().nullish(),
})
type Rope = z.infer<typeof ropeSchema>

interface RopeConfig {
  readonly max_position_embeddings: number
  readonly rope_theta?: number | null | undefined
  readonly rope_scaling?: Rope | null | undefined
  readonly rope_parameters?: Rope | null | undefined
}

export interface RopeFacts {
  readonly ropeTheta: number
  readonly ropeScaling?: RopeScaling
  /** Positions that the scaling is made for. */
  readonly maxPositions: number
}

/** @throws ModelError naming the field that is missing or not supported. */
export function parseRope(config: RopeConfig, fileName: string): RopeFacts {
  const field = config.rope_parameters ? 'rope_parameters' : 'rope_scaling'
  const rope: Rope = config.rope_parameters ?? config.rope_scaling ?? {}
  if ((rope.partial_rotary_factor ?? 1) !== 1) {
    const reason = 'rotating a part of each head is not supported'
    throw new ModelError(`${fileName} ${field}.partial_rotary_factor`, reason)
  }
  const positions = config.max_position_embeddings
  const scaling = parseScaling(rope, positions, `${fileName} ${field}`)
  const stretched =
    scaling?.type === 'yarn' ? Math.floor(scaling.factor * scaling.originalPositions) : 0
  return {
    ropeTheta: rope.rope_theta ?? config.rope_theta ?? ROPE_THETA,
    maxPositions: Math.max(positions, stretched),
    ...(scaling && { ropeScaling: scaling }),
  }
}

function parseScaling(rope: Rope, positions: number, place: string): RopeScaling | undefined {
  const type = rope.rope_type ?? rope.type ?? 'default'
  const need = (name: 'factor' | 'low_freq_factor' | 'high_freq_factor'): number => {
    const value = rope[name]
    if (value === undefined || value === null) {
      throw new ModelError(`${place}.${name}`, `is missing, which '${type}' needs`)
    }
    return value
  }
  const originalPositions = rope.original_max_position_embeddings ?? positions
  switch (type) {
    case 'default':
      return undefined
    case 'linear':
      return { type, factor: need('factor') }
    case 'llama3':
      return {
        type,
        factor: need('factor'),
        lowFrequencyFactor: need('low_freq_factor'),
        highFrequencyFactor: need('high_freq_factor'),
        originalPositions,
      }
    case 'yarn': {
      const factor = rope.factor ?? positions / originalPositions
      return {
        type,
        factor,
        betaFast: rope.beta_fast ?? YARN_BETA_FAST,
        betaSlow: rope.beta_slow ?? YARN_BETA_SLOW,
        originalPositions,
        attentionFactor: rope.attention_factor ?? yarnAttentionFactor(rope, factor),
        truncate: rope.truncate ?? true,
      }
    }
    default:
      throw new ModelError(`${place}.rope_type`, `'${type}' is not supported`)
  }
}

/** How much longer contexts sharpen attention: Eq. 22 of arXiv 2309.00071, as transformers has it. */
function yarnAttentionFactor({ mscale, mscale_all_dim }: Rope, factor: number): number {
  const scaled = (weight: number) => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1)
  return mscale && mscale_all_dim ? scaled(mscale) / scaled(mscale_all_dim) : scaled(1)
}
