import assert from 'node:assert/strict'
import { test } from 'node:test'

import { parseConfig } from './hf-config.ts'
import { ModelError } from '../engine/model-error.ts'

const llama = {
  architectures: ['LlamaForCausalLM'],
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  intermediate_size: 96,
  vocab_size: 128,
  rope_theta: 5000,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
  max_position_embeddings: 256,
  torch_dtype: 'float32',
}

test('reads a Llama configuration', () => {
  assert.deepEqual(parseConfig(llama), {
    maxPositions: 256,
    architecture: {
      type: 'llama',
      layers: 2,
      hiddenSize: 64,
      heads: 4,
      keyValueHeads: 2,
      headSize: 16,
      intermediateSize: 96,
      vocabularySize: 128,
      ropeTheta: 5000,
      normEpsilon: 1e-5,
      tiedEmbeddings: true,
      qkNorm: false,
    },
  })
})

test('reads a Qwen3 configuration, its head size and the newer place of theta', () => {
  const { architecture } = parseConfig({
    ...llama,
    rope_theta: undefined,
    num_key_value_heads: undefined,
    tie_word_embeddings: undefined,
    architectures: ['Qwen3ForCausalLM'],
    head_dim: 32,
    rope_scaling: null,
    rope_parameters: { rope_theta: 1e6, rope_type: 'default' },
  })
  assert.equal(architecture.type, 'qwen3')
  assert.equal(architecture.qkNorm, true)
  assert.equal(architecture.headSize, 32)
  assert.equal(architecture.keyValueHeads, 4)
  assert.equal(architecture.ropeTheta, 1e6)
  assert.equal(architecture.tiedEmbeddings, false)
})

const architecture = (change: object) => parseConfig({ ...llama, ...change }).architecture

test('reads a Qwen2 configuration, whose biases go without saying', () => {
  const { type, attentionBias, qkNorm } = architecture({ architectures: ['Qwen2ForCausalLM'] })
  assert.deepEqual(
    { type, attentionBias, qkNorm },
    { type: 'qwen2', attentionBias: true, qkNorm: false },
  )
  assert.equal(architecture({ attention_bias: true }).attentionBias, true)
  assert.equal(architecture({ mlp_bias: true }).mlpBias, true)
})

test('reads every scaling of positions in both of its spellings', () => {
  const llama3 = {
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 64,
  }
  const older = architecture({ rope_scaling: { type: 'llama3', ...llama3 } })
  const newer = architecture({
    rope_theta: undefined,
    rope_parameters: { rope_type: 'llama3', rope_theta: 5000, ...llama3 },
  })
  assert.deepEqual(older, newer)
  assert.deepEqual(older.ropeScaling, {
    type: 'llama3',
    factor: 8,
    lowFrequencyFactor: 1,
    highFrequencyFactor: 4,
    originalPositions: 64,
  })
  const linear = architecture({ rope_scaling: { type: 'linear', factor: 2 } })
  assert.deepEqual(linear.ropeScaling, { type: 'linear', factor: 2 })
})

test('yarn: what is not said is what transformers takes, and the context grows by the factor', () => {
  const rope_scaling = { type: 'yarn', factor: 4, original_max_position_embeddings: 256 }
  const { architecture, maxPositions } = parseConfig({ ...llama, rope_scaling })
  assert.deepEqual(architecture.ropeScaling, {
    type: 'yarn',
    factor: 4,
    betaFast: 32,
    betaSlow: 1,
    originalPositions: 256,
    attentionFactor: 0.1 * Math.log(4) + 1,
    truncate: true,
  })
  assert.equal(maxPositions, 1024)
})

test('refuses what the graph cannot express, naming the field', () => {
  const cases: [object, RegExp][] = [
    [
      { architectures: ['MambaForCausalLM'], hidden_size: null },
      /architectures: Mamba\w+ is not supported/,
    ],
    [{ architectures: undefined }, /architectures: must be a list/],
    [{ hidden_size: '64' }, /^config\.json hidden_size: /],
    [{ vocab_size: 0 }, /^config\.json vocab_size: /],
    [{ num_key_value_heads: 3 }, /num_key_value_heads: must divide/],
    [{ head_dim: 15 }, /head_dim: must be an even integer, is 15/],
    [{ hidden_size: 66 }, /head_dim: must be an even integer, is 16\.5/],
    [{ rope_scaling: { rope_type: 'llama3', factor: 8 } }, /rope_scaling\.low_freq_factor: is mi/],
    [{ rope_parameters: { rope_type: 'linear' } }, /rope_parameters\.factor: is missing/],
    [{ rope_scaling: { type: 'dynamic', factor: 2 } }, /rope_scaling\.rope_type: 'dynamic' is not/],
    [{ rope_parameters: { partial_rotary_factor: 0.5 } }, /rope_parameters\.partial_rotary_factor/],
    [{ partial_rotary_factor: 0.25 }, /^config\.json partial_rotary_factor: rotating a part/],
    [{ layer_types: ['full_attention', 'sliding_attention'] }, /layer_types\.1: only full_/],
    [{ num_experts: 8 }, /^config\.json num_experts: mixtures of experts/],
    [{ quantization_config: { bits: 4 } }, /quantization_config: quantised checkpoints/],
    [{ attention_bias: 'yes' }, /^config\.json attention_bias: /],
    [{ hidden_act: 'gelu' }, /^config\.json hidden_act: /],
    [{ use_sliding_window: true }, /^config\.json use_sliding_window: /],
  ]
  for (const [change, about] of cases) {
    assert.throws(
      () => parseConfig({ ...llama, ...change }),
      (error) => {
        assert.ok(error instanceof ModelError)
        assert.match(error.message, about)
        return true
      },
    )
  }
})
