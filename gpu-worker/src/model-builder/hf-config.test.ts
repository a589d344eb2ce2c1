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
    [{ rope_scaling: { rope_type: 'llama3', factor: 8 } }, /RoPE scaling 'llama3'/],
    [{ rope_scaling: { type: 'linear', factor: 2 } }, /RoPE scaling 'linear'/],
    [{ attention_bias: true }, /^config\.json attention_bias: /],
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
