import type { Architecture } from '@setblock/shared'

import { ModelError } from '../engine/model-error.ts'
import type { TensorFile } from './safetensors.ts'

/**
 * A matrix ready for `x @ W`: inputs x outputs, row-major. Hugging Face stores linear layers the
 * other way round, outputs x inputs.
 */
export interface Matrix {
  readonly inputs: number
  readonly outputs: number
  readonly data: Float32Array
}

export interface LayerWeights {
  /**
   * Queries, keys and values side by side: one matmul makes all three. Query heads lie group-major:
   * the first of each key-value head, then the second of each ...
   */
  readonly queryKeyValue: Matrix
  /** Its inputs lie in the order of the query heads. */
  readonly attentionOutput: Matrix
  readonly gate: Matrix
  readonly up: Matrix
  readonly down: Matrix
  readonly attentionNorm: Float32Array
  readonly mlpNorm: Float32Array
  /** Of one head, present if the architecture has qkNorm. */
  readonly queryNorm?: Float32Array
  readonly keyNorm?: Float32Array
}

export interface ModelWeights {
  /** (vocabulary, hidden) row-major. */
  readonly embedding: Float32Array
  readonly layers: readonly LayerWeights[]
  readonly finalNorm: Float32Array
  readonly head: Matrix
}

/** Picks a checkpoint's tensors by their Hugging Face names and checks every shape. */
export function readWeights(file: TensorFile, architecture: Architecture): ModelWeights {
  const { hiddenSize, vocabularySize, layers, tiedEmbeddings } = architecture
  const embedding = take(file, 'model.embed_tokens.weight', [vocabularySize, hiddenSize])
  const headRows = tiedEmbeddings
    ? embedding
    : take(file, 'lm_head.weight', [vocabularySize, hiddenSize])
  return {
    embedding,
    layers: Array.from({ length: layers }, (_, index) => readLayer(file, architecture, index)),
    finalNorm: take(file, 'model.norm.weight', [hiddenSize]),
    head: transposed([{ rows: headRows, outputs: vocabularySize }], hiddenSize),
  }
}

function readLayer(file: TensorFile, architecture: Architecture, index: number): LayerWeights {
  const { hiddenSize, intermediateSize, heads, keyValueHeads, headSize } = architecture
  const prefix = `model.layers.${index}.`
  const vector = (name: string, length: number) => take(file, `${prefix}${name}.weight`, [length])
  const linear = (name: string, outputs: number, inputs: number) => ({
    rows: take(file, `${prefix}${name}.weight`, [outputs, inputs]),
    outputs,
  })
  const keyValueSize = keyValueHeads * headSize
  const query = linear('self_attn.q_proj', heads * headSize, hiddenSize)
  const output = linear('self_attn.o_proj', hiddenSize, heads * headSize)
  return {
    queryKeyValue: transposed(
      [
        { ...query, rows: groupMajor(query.rows, architecture, headSize * hiddenSize) },
        linear('self_attn.k_proj', keyValueSize, hiddenSize),
        linear('self_attn.v_proj', keyValueSize, hiddenSize),
      ],
      hiddenSize,
    ),
    attentionOutput: transposed(
      [{ ...output, rows: groupMajor(output.rows, architecture, headSize) }],
      heads * headSize,
    ),
    gate: transposed([linear('mlp.gate_proj', intermediateSize, hiddenSize)], hiddenSize),
    up: transposed([linear('mlp.up_proj', intermediateSize, hiddenSize)], hiddenSize),
    down: transposed([linear('mlp.down_proj', hiddenSize, intermediateSize)], intermediateSize),
    attentionNorm: vector('input_layernorm', hiddenSize),
    mlpNorm: vector('post_attention_layernorm', hiddenSize),
    ...(architecture.qkNorm && {
      queryNorm: vector('self_attn.q_norm', headSize),
      keyNorm: vector('self_attn.k_norm', headSize),
    }),
  }
}

/**
 * Values that lie in runs of `heads` query heads, `headLength` each, with the heads of every run in
 * group-major order: head kv * G + g goes to place g * KV + kv, where G heads share one of KV.
 */
function groupMajor(
  values: Float32Array,
  { heads, keyValueHeads }: Architecture,
  headLength: number,
): Float32Array {
  const ordered = new Float32Array(values.length)
  const group = heads / keyValueHeads
  for (let index = 0; index * headLength < values.length; index++) {
    const head = index % heads
    const place = (head % group) * keyValueHeads + Math.floor(head / group)
    const from = values.subarray(index * headLength, (index + 1) * headLength)
    ordered.set(from, (index - head + place) * headLength)
  }
  return ordered
}

function take(file: TensorFile, name: string, shape: readonly number[]): Float32Array {
  const tensor = file.read(name)
  if (tensor.shape.join() !== shape.join()) {
    throw new ModelError(
      name,
      `shape is [${tensor.shape.join(', ')}], config.json asks for [${shape.join(', ')}]`,
    )
  }
  for (const value of tensor.data) {
    if (!Number.isFinite(value)) throw new ModelError(name, 'holds a value that is not finite')
  }
  return tensor.data
}

/** Linear layers of a common input, each (outputs, inputs), to one (inputs, sum of outputs). */
function transposed(
  parts: readonly { rows: Float32Array; outputs: number }[],
  inputs: number,
): Matrix {
  const outputs = parts.reduce((sum, part) => sum + part.outputs, 0)
  const data = new Float32Array(inputs * outputs)
  let column = 0
  for (const part of parts) {
    for (let row = 0; row < part.outputs; row++, column++) {
      for (let i = 0; i < inputs; i++) data[i * outputs + column] = part.rows[row * inputs + i]!
    }
  }
  return { inputs, outputs, data }
}
