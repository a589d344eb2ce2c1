import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Architecture } from '@setblock/shared'
import {
  MICROSOFT,
  OnnxModel,
  type Value,
} from '../../../gpu-worker/src/model-builder/onnx-model.ts'
import type { CheckpointFolder } from './checkpoint-folder.ts'
import { addLinear, DTYPE_FILES, type Dtype } from './onnx-linear.ts'

/**
 * A llama checkpoint as a transformers.js model folder. The graph is of the usual exported form: inputs and outputs by
 * their `past_key_values.N.key` and `present.N.key` names, GroupQueryAttention with the rotary embedding inside,
 * SkipSimplifiedLayerNormalization, and logits of the last positions alone (`num_logits_to_keep`).
 */
export async function convertToOnnx(
  checkpoint: CheckpointFolder,
  dtypes: readonly Dtype[],
  folder: string,
): Promise<void> {
  if (checkpoint.architecture.type !== 'llama') throw new Error('only llama is exported here')
  await mkdir(path.join(folder, 'onnx'), { recursive: true })
  const { file, configFile } = checkpoint.manifest.tokenizer
  for (const name of [file, configFile]) {
    await copyFile(path.join(checkpoint.folder, name), path.join(folder, name))
  }
  const config = JSON.parse(await readFile(path.join(checkpoint.folder, 'config.json'), 'utf8'))
  const eos = { eos_token_id: checkpoint.manifest.eosTokenIds }
  await writeFile(path.join(folder, 'config.json'), JSON.stringify({ ...config, ...eos }))
  await writeFile(path.join(folder, 'generation_config.json'), JSON.stringify(eos))
  for (const dtype of dtypes) {
    const bytes = new ExportedGraph(checkpoint, dtype).build()
    await writeFile(path.join(folder, 'onnx', DTYPE_FILES[dtype]), bytes)
  }
}

class ExportedGraph {
  readonly #model = new OnnxModel()
  readonly #architecture: Architecture
  readonly #checkpoint: CheckpointFolder
  readonly #dtype: Dtype

  constructor(checkpoint: CheckpointFolder, dtype: Dtype) {
    this.#checkpoint = checkpoint
    this.#architecture = checkpoint.architecture
    this.#dtype = dtype
  }

  build(): Uint8Array {
    const model = this.#model
    const { hiddenSize, vocabularySize, layers, tiedEmbeddings } = this.#architecture
    const ids = model.input('input_ids', 'int64', ['batch_size', 'sequence_length'])
    const mask = model.input('attention_mask', 'int64', ['batch_size', 'total_sequence_length'])
    const keep = model.input('num_logits_to_keep', 'int64', [])
    const lengths = this.#lengths(mask)
    const embedding = this.#weights('model.embed_tokens')
    const shape = [vocabularySize, hiddenSize]
    const table = model.initializer('embedding', { type: 'float32', shape, data: embedding })
    let residual = model.node('embed', 'Gather', [table, ids])
    let normed = this.#firstNorm(residual)
    for (let layer = 0; layer < layers; layer++) {
      const attended = this.#attention(layer, normed, lengths)
      const middle = this.#skipNorm(
        `l${layer}.mlp_norm`,
        attended,
        residual,
        this.#name(layer, 'post_attention_layernorm'),
      )
      const output = this.#mlp(layer, middle.normed)
      const last = layer + 1 === layers
      const norm = last ? 'model.norm' : this.#name(layer + 1, 'input_layernorm')
      const next = this.#skipNorm(`l${layer}.next_norm`, output, middle.residual, norm)
      residual = next.residual
      normed = next.normed
    }
    const rows = tiedEmbeddings ? embedding : this.#weights('lm_head')
    const head = { name: 'logits', rows, outputs: vocabularySize, inputs: hiddenSize }
    addLinear(model, this.#lastRows(normed, keep), head, this.#dtype)
    model.output('logits', 'float32', ['batch_size', 'num_logits_to_keep', vocabularySize])
    return model.serialize().toBytes()
  }

  /** What GroupQueryAttention asks for: cached-and-new length less one per sequence, and the longest of all. */
  #lengths(mask: Value): { perSequence: Value; longest: Value } {
    const model = this.#model
    const axes = this.#int64('mask.axes', [1])
    const keepDimensions = { keepdims: { int: 0 } }
    const sum = model.node('mask.sum', 'ReduceSum', [mask, axes], { attributes: keepDimensions })
    const less = model.node('mask.less', 'Sub', [sum, this.#int64('mask.one', [1])])
    const toInt32 = { attributes: { to: { int: 6 } } }
    const perSequence = model.node('lengths', 'Cast', [less], toInt32)
    const shape = model.node('mask.shape', 'Shape', [mask])
    const index = model.initializer('mask.index', {
      type: 'int64',
      shape: [],
      data: new BigInt64Array([1n]),
    })
    const total = model.node('mask.total', 'Gather', [shape, index])
    return { perSequence, longest: model.node('longest', 'Cast', [total], toInt32) }
  }

  #attention(layer: number, x: Value, lengths: { perSequence: Value; longest: Value }): Value {
    const model = this.#model
    const { heads, keyValueHeads, headSize, hiddenSize } = this.#architecture
    const [queries, keys] = [heads * headSize, keyValueHeads * headSize]
    const parts = ['q_proj', 'k_proj', 'v_proj'].map((part) =>
      this.#weights(this.#name(layer, `self_attn.${part}`)),
    )
    const rows = joined(parts)
    const packed = { name: `l${layer}.qkv`, rows, outputs: queries + 2 * keys, inputs: hiddenSize }
    const qkv = addLinear(model, x, packed, this.#dtype)
    const cache = ['key', 'value'].map((kind) => {
      const shape = ['batch_size', keyValueHeads, 'past_sequence_length', headSize]
      return model.input(`past_key_values.${layer}.${kind}`, 'float32', shape)
    })
    const presents = ['key', 'value'].map((kind) => {
      model.output(`present.${layer}.${kind}`, 'float32', [
        'batch_size',
        keyValueHeads,
        'total_sequence_length',
        headSize,
      ])
      return `present.${layer}.${kind}`
    })
    const attended = `l${layer}.attended`
    const rotary = [this.#rotary('cos', Math.cos), this.#rotary('sin', Math.sin)]
    const inputs = [qkv, '', '', ...cache, lengths.perSequence, lengths.longest, ...rotary]
    model.multiNode(
      { name: attended, op: 'GroupQueryAttention', inputs, outputs: [attended, ...presents] },
      {
        domain: MICROSOFT,
        attributes: {
          num_heads: { int: heads },
          kv_num_heads: { int: keyValueHeads },
          scale: { float: 1 / Math.sqrt(headSize) },
          do_rotary: { int: 1 },
        },
      },
    )
    return this.#linear(layer, 'self_attn.o_proj', attended, hiddenSize, queries)
  }

  #mlp(layer: number, x: Value): Value {
    const model = this.#model
    const { hiddenSize, intermediateSize } = this.#architecture
    const gate = this.#linear(layer, 'mlp.gate_proj', x, intermediateSize, hiddenSize)
    const up = this.#linear(layer, 'mlp.up_proj', x, intermediateSize, hiddenSize)
    const sigmoid = model.node(`l${layer}.sigmoid`, 'Sigmoid', [gate])
    const silu = model.node(`l${layer}.silu`, 'Mul', [gate, sigmoid])
    const inner = model.node(`l${layer}.inner`, 'Mul', [silu, up])
    return this.#linear(layer, 'mlp.down_proj', inner, hiddenSize, intermediateSize)
  }

  #linear(layer: number, part: string, x: Value, outputs: number, inputs: number): Value {
    const name = this.#name(layer, part)
    return addLinear(
      this.#model,
      x,
      { name, rows: this.#weights(name), outputs, inputs },
      this.#dtype,
    )
  }

  #firstNorm(x: Value): Value {
    const scale = this.#scale(this.#name(0, 'input_layernorm'))
    const attributes = { axis: { int: -1 }, epsilon: { float: this.#architecture.normEpsilon } }
    return this.#model.node('first_norm', 'SimplifiedLayerNormalization', [x, scale], {
      attributes,
    })
  }

  #skipNorm(name: string, x: Value, residual: Value, norm: string) {
    const inputs = [x, residual, this.#scale(norm)]
    const outputs = [name, '', '', `${name}.sum`]
    const epsilon = { float: this.#architecture.normEpsilon }
    this.#model.multiNode(
      { name, op: 'SkipSimplifiedLayerNormalization', inputs, outputs },
      { domain: MICROSOFT, attributes: { epsilon } },
    )
    return { normed: name, residual: `${name}.sum` }
  }

  /** The last `keep` positions; 0 keeps all, because a slice from -0 does. */
  #lastRows(x: Value, keep: Value): Value {
    const model = this.#model
    const start = model.node('keep.start', 'Neg', [keep])
    const starts = model.node('keep.starts', 'Reshape', [start, this.#int64('keep.shape', [1])])
    const end = this.#int64('keep.end', [Number.MAX_SAFE_INTEGER])
    return model.node('kept', 'Slice', [x, starts, end, this.#int64('keep.axis', [1])])
  }

  #rotary(name: string, of: (angle: number) => number): Value {
    const { headSize, ropeTheta } = this.#architecture
    const [positions, half] = [this.#checkpoint.manifest.contextLength, headSize / 2]
    const data = new Float32Array(positions * half)
    for (let at = 0; at < data.length; at++) {
      const frequency = ropeTheta ** (-(at % half) / half)
      data[at] = of(Math.floor(at / half) * frequency)
    }
    return this.#model.initializer(name, { type: 'float32', shape: [positions, half], data })
  }

  #scale(norm: string): Value {
    const data = this.#weights(norm)
    return this.#model.initializer(norm, { type: 'float32', shape: [data.length], data })
  }

  #int64(name: string, values: readonly number[]): Value {
    const data = BigInt64Array.from(values, BigInt)
    return this.#model.initializer(name, { type: 'int64', shape: [values.length], data })
  }

  #name(layer: number, part: string): string {
    return `model.layers.${layer}.${part}`
  }

  #weights(name: string): Float32Array {
    return this.#checkpoint.tensors.read(`${name}.weight`).data
  }
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
