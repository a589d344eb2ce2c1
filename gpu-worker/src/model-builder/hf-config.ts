import type { Architecture } from '@setblock/shared'
import * as z from 'zod'

import { ModelError } from '../engine/model-error.ts'
import { parseRope, ropeSchema } from './rope-config.ts'

/**
 * The decoder families this builder knows. All of them: RMSNorm, grouped-query attention, half-split
 * RoPE, SwiGLU. Qwen2 adds biases to queries, keys and values, Qwen3 a norm to each head's queries
 * and keys.
 */
const FAMILIES = {
  LlamaForCausalLM: 'llama',
  Qwen2ForCausalLM: 'qwen2',
  Qwen3ForCausalLM: 'qwen3',
} as const satisfies Record<string, Architecture['type']>

/** What transformers assumes where a Qwen3 configuration does not say. */
const QWEN3_HEAD_SIZE = 128
const NORM_EPSILON = 1e-6

const size = z.int().min(1)
const only = <T extends string | number | boolean>(value: T, reason: string) =>
  z.custom<T | null | undefined>((given) => (given ?? value) === value, reason).optional()
const absent = (reason: string) =>
  z.custom<null | undefined>((given) => given === undefined || given === null, reason).optional()

const configSchema = z.object({
  hidden_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  intermediate_size: size,
  vocab_size: size,
  rope_theta: z.number().positive().nullish(),
  rope_scaling: ropeSchema.nullish(),
  rope_parameters: ropeSchema.nullish(), // where newer checkpoints keep theta and scaling
  rms_norm_eps: z.number().positive().default(NORM_EPSILON),
  tie_word_embeddings: z.boolean().nullish(),
  max_position_embeddings: size,
  attention_bias: z.boolean().nullish(),
  mlp_bias: z.boolean().nullish(),
  // What follows would be another model than the graph has: refused, not ignored.
  hidden_act: only('silu', "only 'silu' is supported"),
  use_sliding_window: only(false, 'a sliding window is not supported'),
  layer_types: z.array(z.literal('full_attention', 'only full_attention is supported')).nullish(),
  partial_rotary_factor: only(1, 'rotating a part of each head is not supported'),
  quantization_config: absent('quantised checkpoints are not supported: give the original weights'),
  num_experts: absent('mixtures of experts are not supported'),
  num_local_experts: absent('mixtures of experts are not supported'),
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
  const { ropeTheta, ropeScaling, maxPositions } = parseRope(config, fileName)
  const attentionBias = type === 'qwen2' || config.attention_bias === true
  return {
    maxPositions,
    architecture: {
      type,
      layers: config.num_hidden_layers,
      hiddenSize: config.hidden_size,
      ...headShape(config, type, fileName),
      intermediateSize: config.intermediate_size,
      vocabularySize: config.vocab_size,
      ropeTheta,
      normEpsilon: config.rms_norm_eps,
      tiedEmbeddings: config.tie_word_embeddings ?? false,
      qkNorm: type === 'qwen3',
      ...(ropeScaling && { ropeScaling }),
      ...(attentionBias && { attentionBias }),
      ...(config.mlp_bias === true && { mlpBias: true }),
    },
  }
}

function headShape(config: Config, type: Architecture['type'], fileName: string) {
  const heads = config.num_attention_heads
  const keyValueHeads = config.num_key_value_heads ?? heads
  const byDefault = type === 'qwen3' ? QWEN3_HEAD_SIZE : config.hidden_size / heads
  const headSize = config.head_dim ?? byDefault
  if (heads % keyValueHeads !== 0) {
    throw new ModelError(`${fileName} num_key_value_heads`, 'must divide num_attention_heads')
  }
  if (!Number.isInteger(headSize) || headSize % 2 !== 0) {
    throw new ModelError(`${fileName} head_dim`, `must be an even integer, is ${headSize}`)
  }
  return { heads, keyValueHeads, headSize }
}

/**
 * Read before the rest: an unknown family deserves this error, not one about a field it happens to
 * lack.
 */
function architectureType(json: unknown, fileName: string): Architecture['type'] {
  const parsed = z.looseObject({ architectures: z.array(z.string()).min(1) }).safeParse(json)
  if (!parsed.success) throw new ModelError(`${fileName} architectures`, 'must be a list of names')
  const name = parsed.data.architectures[0]!
  if (Object.hasOwn(FAMILIES, name)) return FAMILIES[name as keyof typeof FAMILIES]
  const known = Object.keys(FAMILIES).join(', ')
  throw new ModelError(`${fileName} architectures`, `${name} is not supported (known are ${known})`)
}
