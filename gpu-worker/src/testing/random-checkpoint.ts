import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { writeSafetensors } from './safetensors-writer.ts'
import type { FloatTensor } from './safetensors-writer.ts'
import { seededNormal } from './seeded-random.ts'
import { Q4_BLOCK } from '../model-builder/quantise-weights.ts'

/** Shape of a model made for a test; the defaults are tiny. */
export interface RandomModel {
  readonly type: 'llama' | 'qwen2' | 'qwen3'
  readonly seed: number
  readonly layers: number
  readonly hiddenSize: number
  readonly heads: number
  readonly keyValueHeads: number
  readonly headSize: number
  readonly intermediateSize: number
  readonly vocabularySize: number
  readonly contextLength: number
  readonly tied: boolean
  /** Matrices of numbers that the 4-bit form holds exactly. */
  readonly exactInQ4: boolean
}

const TINY: RandomModel = {
  type: 'llama',
  seed: 1,
  layers: 2,
  hiddenSize: 32,
  heads: 4,
  keyValueHeads: 2,
  headSize: 16,
  intermediateSize: 48,
  vocabularySize: 96,
  contextLength: 192,
  tied: true,
  exactInQ4: false,
}

const ARCHITECTURE_NAMES = {
  llama: 'LlamaForCausalLM',
  qwen2: 'Qwen2ForCausalLM',
  qwen3: 'Qwen3ForCausalLM',
} as const

export const MASK_TOKEN_ID = 3

/**
 * Writes a Hugging Face model folder with random weights into a temporary folder; the caller
 * removes it.
 */
export async function writeRandomCheckpoint(
  overrides: Partial<RandomModel> = {},
): Promise<{ folder: string; remove: () => Promise<void> }> {
  const model = { ...TINY, ...overrides }
  const folder = await mkdtemp(join(tmpdir(), 'setblock-model-'))
  const json = (file: string, value: unknown) =>
    writeFile(join(folder, file), JSON.stringify(value))
  await json('config.json', config(model))
  await json('setblock.source.json', source(model))
  await json('tokenizer.json', {})
  await json('tokenizer_config.json', {})
  await writeFile(join(folder, 'model.safetensors'), writeSafetensors(randomTensors(model)))
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) }
}

function config(model: RandomModel) {
  return {
    architectures: [ARCHITECTURE_NAMES[model.type]],
    model_type: model.type,
    vocab_size: model.vocabularySize,
    hidden_size: model.hiddenSize,
    num_hidden_layers: model.layers,
    num_attention_heads: model.heads,
    num_key_value_heads: model.keyValueHeads,
    head_dim: model.headSize,
    intermediate_size: model.intermediateSize,
    max_position_embeddings: model.contextLength,
    rope_theta: 10_000,
    rms_norm_eps: 1e-5,
    tie_word_embeddings: model.tied,
    hidden_act: 'silu',
  }
}

function source(model: RandomModel) {
  return {
    id: `random-${model.type}`,
    name: `Random ${model.type}`,
    maskTokenId: MASK_TOKEN_ID,
    bosTokenId: 1,
    eosTokenIds: [2],
    padTokenId: 0,
    contextLength: model.contextLength,
    maxBlockLength: 16,
    defaults: { mode: 'verified', gamma: 0.1, rule: 'strict', blockLength: 8 },
    provenance: { createdBy: 'test', license: 'none' },
  }
}

/**
 * Linear layers keep the variance of their input, so activations stay near 1 through every layer.
 */
function randomTensors(model: RandomModel): Map<string, FloatTensor> {
  const normal = seededNormal(model.seed)
  const tensors = new Map<string, FloatTensor>()
  const matrix = (name: string, outputs: number, inputs: number, scale = 1) => {
    const data = new Float32Array(outputs * inputs)
    for (let i = 0; i < data.length; i++) data[i] = (normal() * scale) / Math.sqrt(inputs)
    if (model.exactInQ4) roundToQ4(data)
    tensors.set(`${name}.weight`, { shape: [outputs, inputs], data })
  }
  const vector = (name: string, size: number, mean: number) => {
    const data = Float32Array.from({ length: size }, () => mean + 0.2 * normal())
    tensors.set(name, { shape: [size], data })
  }
  const norm = (name: string, size: number) => vector(`${name}.weight`, size, 1)
  const { hiddenSize, heads, keyValueHeads, headSize, intermediateSize, vocabularySize } = model
  matrix('model.embed_tokens', vocabularySize, hiddenSize, 4)
  // The padding token embeds to zeros, as it does in many checkpoints: rows of zeros must work too.
  tensors.get('model.embed_tokens.weight')!.data.fill(0, 0, hiddenSize)
  for (let layer = 0; layer < model.layers; layer++) {
    const prefix = `model.layers.${layer}.`
    norm(`${prefix}input_layernorm`, hiddenSize)
    matrix(`${prefix}self_attn.q_proj`, heads * headSize, hiddenSize)
    matrix(`${prefix}self_attn.k_proj`, keyValueHeads * headSize, hiddenSize)
    matrix(`${prefix}self_attn.v_proj`, keyValueHeads * headSize, hiddenSize)
    matrix(`${prefix}self_attn.o_proj`, hiddenSize, heads * headSize)
    if (model.type === 'qwen2') {
      vector(`${prefix}self_attn.q_proj.bias`, heads * headSize, 0)
      vector(`${prefix}self_attn.k_proj.bias`, keyValueHeads * headSize, 0)
      vector(`${prefix}self_attn.v_proj.bias`, keyValueHeads * headSize, 0)
    }
    if (model.type === 'qwen3') {
      norm(`${prefix}self_attn.q_norm`, headSize)
      norm(`${prefix}self_attn.k_norm`, headSize)
    }
    norm(`${prefix}post_attention_layernorm`, hiddenSize)
    matrix(`${prefix}mlp.gate_proj`, intermediateSize, hiddenSize)
    matrix(`${prefix}mlp.up_proj`, intermediateSize, hiddenSize)
    matrix(`${prefix}mlp.down_proj`, hiddenSize, intermediateSize)
  }
  norm('model.norm', hiddenSize)
  if (!model.tied) matrix('lm_head', vocabularySize, hiddenSize, 4)
  return tensors
}

/** Each block to multiples of a power of two, one of them -8 times it: the 4-bit form's own grid. */
function roundToQ4(data: Float32Array): void {
  for (let first = 0; first < data.length; first += Q4_BLOCK) {
    const block = data.subarray(first, first + Q4_BLOCK)
    const largest = block.reduce((max, value) => Math.max(max, Math.abs(value)), 0)
    const step = 2 ** Math.round(Math.log2(largest / 8))
    for (let i = 0; i < block.length; i++) {
      block[i] = step * Math.max(-7, Math.min(7, Math.round(block[i]! / step)))
    }
    block[0] = -8 * step
  }
}
