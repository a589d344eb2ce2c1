import type { Architecture } from '@setblock/shared'
import * as z from 'zod'

import { ModelError } from '../engine/model-error.ts'

/**
 * The decoder families this builder knows. Both: RMSNorm, grouped-query attention, half-split RoPE,
 * SwiGLU.
 */
export const ARCHITECTURES = { LlamaForCausalLM: 'llama', Qwen3ForCausalLM: 'qwen3' } as const

const size = z.int().min(1)
const ropeSchema = z.looseObject({
  rope_theta: z.number().positive().optional(),
  rope_type: z.string().optional(),
  type: z.string().optional(),
})

const configSchema = z.object({
  architectures: z.array(z.string()).min(1),
  hidden_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  num_key_value_heads: size.optional(),
  head_dim: size.nullish(),
  intermediate_size: size,
  vocab_size: size,
  rope_theta: z.number().positive().optional(),
  rope_scaling: ropeSchema.nullish(),
  rope_parameters: ropeSchema.nullish(), // where newer checkpoints keep theta and scaling
  rms_norm_eps: z.number().positive(),
  tie_word_embeddings: z.boolean().default(false),
  max_position_embeddings: size,
  hidden_act: z.literal('silu').default('silu'),
  attention_bias: z.literal(false).default(false),
  mlp_bias: z.literal(false).default(false),
  use_sliding_window: z.literal(false).default(false),
})
type Config = z.infer<typeof configSchema>

export interface CheckpointConfig {
  readonly architecture: Architecture
  readonly maxPositions: number
}

/**
 * Hugging Face `config.json` to an Architecture; anything the graph cannot express is refused by
 * name.
 */
export function parseConfig(json: unknown, fileName = 'config.json'): CheckpointConfig {
  const type = architectureType(json, fileName)
  const parsed = configSchema.safeParse(json)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!
    throw new ModelError(`${fileName} ${issue.path.join('.')}`, issue.message)
  }
  const config = parsed.data
  const keyValueHeads = config.num_key_value_heads ?? config.num_attention_heads
  const headSize = config.head_dim ?? config.hidden_size / config.num_attention_heads
  if (config.num_attention_heads % keyValueHeads !== 0) {
    throw new ModelError(`${fileName} num_key_value_heads`, 'must divide num_attention_heads')
  }
  if (!Number.isInteger(headSize) || headSize % 2 !== 0) {
    throw new ModelError(`${fileName} head_dim`, `must be an even integer, is ${headSize}`)
  }
  return {
    maxPositions: config.max_position_embeddings,
    architecture: {
      type,
      layers: config.num_hidden_layers,
      hiddenSize: config.hidden_size,
      heads: config.num_attention_heads,
      keyValueHeads,
      headSize,
      intermediateSize: config.intermediate_size,
      vocabularySize: config.vocab_size,
      ropeTheta: ropeTheta(config, fileName),
      normEpsilon: config.rms_norm_eps,
      tiedEmbeddings: config.tie_word_embeddings,
      qkNorm: type === 'qwen3',
    },
  }
}

/**
 * Read before the rest: an unknown family deserves this error, not one about a field it happens to
 * lack.
 */
function architectureType(json: unknown, fileName: string): Architecture['type'] {
  const parsed = z.looseObject({ architectures: z.array(z.string()).min(1) }).safeParse(json)
  if (!parsed.success) throw new ModelError(`${fileName} architectures`, 'must be a list of names')
  const name = parsed.data.architectures[0]!
  const known = Object.keys(ARCHITECTURES)
  if (!known.includes(name)) {
    throw new ModelError(
      `${fileName} architectures`,
      `${name} is not supported (${known.join(' and ')} are)`,
    )
  }
  return ARCHITECTURES[name as keyof typeof ARCHITECTURES]
}

function ropeTheta(config: Config, fileName: string): number {
  for (const rope of [config.rope_scaling, config.rope_parameters]) {
    const scaling = rope?.rope_type ?? rope?.type ?? 'default'
    if (scaling !== 'default') {
      throw new ModelError(`${fileName} rope_scaling`, `RoPE scaling '${scaling}' is not supported`)
    }
  }
  return config.rope_theta ?? config.rope_parameters?.rope_theta ?? 10_000
}
