import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Architecture } from '@setblock/shared'
import * as z from 'zod'
import type { CheckpointFolder } from './checkpoint-folder.ts'
import { writeGguf, type GgufTensor, type GgufValue } from './gguf-file.ts'
import { encodeTensor, GGML_TYPES, type GgmlType } from './gguf-quantise.ts'

/** llama_token_type */
const TOKEN = { normal: 1, control: 3 } as const

/** A llama checkpoint as GGUF, matrices in one format, norms in float32. */
export async function convertToGguf(
  checkpoint: CheckpointFolder,
  type: GgmlType,
  file: string,
): Promise<void> {
  const facts = { ...modelFacts(checkpoint), ...(await tokenizerFacts(checkpoint)) }
  await writeGguf(file, facts, [...tensorsOf(checkpoint, type)])
}

function modelFacts({ architecture, manifest }: CheckpointFolder): Record<string, GgufValue> {
  if (architecture.type !== 'llama') throw new Error(`no GGUF for ${architecture.type} here`)
  const { headSize } = architecture
  return {
    'general.architecture': { string: 'llama' },
    'general.name': { string: manifest.name },
    'llama.context_length': { u32: manifest.contextLength },
    'llama.embedding_length': { u32: architecture.hiddenSize },
    'llama.block_count': { u32: architecture.layers },
    'llama.feed_forward_length': { u32: architecture.intermediateSize },
    'llama.attention.head_count': { u32: architecture.heads },
    'llama.attention.head_count_kv': { u32: architecture.keyValueHeads },
    'llama.attention.key_length': { u32: headSize },
    'llama.attention.value_length': { u32: headSize },
    'llama.attention.layer_norm_rms_epsilon': { f32: architecture.normEpsilon },
    'llama.rope.freq_base': { f32: architecture.ropeTheta },
    'llama.rope.dimension_count': { u32: headSize },
    'llama.vocab_size': { u32: architecture.vocabularySize },
  }
}

const tokenizerSchema = z.object({
  added_tokens: z.array(z.object({ id: z.int(), content: z.string() })).default([]),
  model: z
    .object({
      vocab: z.record(z.string(), z.int()),
      merges: z.array(z.tuple([z.string(), z.string()])),
    })
    .default({ vocab: {}, merges: [] }),
})

/** Ids without a text, as a random model's, get a made-up one: only ids are ever exchanged. */
async function tokenizerFacts({
  folder,
  architecture,
  manifest,
}: CheckpointFolder): Promise<Record<string, GgufValue>> {
  const text = await readFile(path.join(folder, manifest.tokenizer.file), 'utf8')
  const { added_tokens: added, model } = tokenizerSchema.parse(JSON.parse(text))
  const size = architecture.vocabularySize
  const tokens = Array.from({ length: size }, (_, id) => `<unused-${id}>`)
  const types = Array.from({ length: size }, () => TOKEN.normal as number)
  for (const [token, id] of Object.entries(model.vocab)) tokens[id] = token
  for (const { id, content } of added) {
    tokens[id] = content
    types[id] = TOKEN.control
  }
  const [eos = 0, endOfTurn = eos] = manifest.eosTokenIds
  return {
    'tokenizer.ggml.model': { string: 'gpt2' },
    'tokenizer.ggml.pre': { string: 'default' },
    'tokenizer.ggml.tokens': { strings: tokens },
    'tokenizer.ggml.token_type': { i32s: types },
    'tokenizer.ggml.merges': { strings: model.merges.map((pair) => pair.join(' ')) },
    'tokenizer.ggml.eos_token_id': { u32: eos },
    'tokenizer.ggml.eot_token_id': { u32: endOfTurn },
    'tokenizer.ggml.add_bos_token': { bool: false },
  }
}

function* tensorsOf(checkpoint: CheckpointFolder, type: GgmlType): Generator<GgufTensor> {
  const { architecture, tensors } = checkpoint
  const { hiddenSize, heads, keyValueHeads, intermediateSize, vocabularySize } = architecture
  const { layers, headSize, tiedEmbeddings } = architecture
  const matrix = (
    name: string,
    source: string,
    [outputs, inputs]: [number, number],
  ): GgufTensor => {
    const { data } = tensors.read(`${source}.weight`)
    const values = rotated(data, name, architecture)
    const dimensions = [inputs, outputs]
    return {
      name: `${name}.weight`,
      dimensions,
      type: GGML_TYPES[type],
      data: encodeTensor(values, type),
    }
  }
  const norm = (name: string, source: string): GgufTensor => {
    const data = encodeTensor(tensors.read(`${source}.weight`).data, 'f32')
    return { name: `${name}.weight`, dimensions: [hiddenSize], type: GGML_TYPES.f32, data }
  }
  const [queries, keys] = [heads * headSize, keyValueHeads * headSize]
  yield matrix('token_embd', 'model.embed_tokens', [vocabularySize, hiddenSize])
  for (let layer = 0; layer < layers; layer++) {
    const [to, from] = [`blk.${layer}`, `model.layers.${layer}`]
    yield norm(`${to}.attn_norm`, `${from}.input_layernorm`)
    yield matrix(`${to}.attn_q`, `${from}.self_attn.q_proj`, [queries, hiddenSize])
    yield matrix(`${to}.attn_k`, `${from}.self_attn.k_proj`, [keys, hiddenSize])
    yield matrix(`${to}.attn_v`, `${from}.self_attn.v_proj`, [keys, hiddenSize])
    yield matrix(`${to}.attn_output`, `${from}.self_attn.o_proj`, [hiddenSize, queries])
    yield norm(`${to}.ffn_norm`, `${from}.post_attention_layernorm`)
    yield matrix(`${to}.ffn_gate`, `${from}.mlp.gate_proj`, [intermediateSize, hiddenSize])
    yield matrix(`${to}.ffn_up`, `${from}.mlp.up_proj`, [intermediateSize, hiddenSize])
    yield matrix(`${to}.ffn_down`, `${from}.mlp.down_proj`, [hiddenSize, intermediateSize])
  }
  yield norm('output_norm', 'model.norm')
  if (!tiedEmbeddings) yield matrix('output', 'lm_head', [vocabularySize, hiddenSize])
}

/**
 * ggml rotates neighbouring dimensions (2i, 2i + 1) of a llama head, Hugging Face the halves (i, i + D/2): the rows of
 * queries and keys change places accordingly.
 */
function rotated(data: Float32Array, name: string, architecture: Architecture): Float32Array {
  if (!/attn_[qk]$/.test(name)) return data
  const { headSize, hiddenSize } = architecture
  const half = headSize / 2
  const out = new Float32Array(data.length)
  for (let row = 0; row < data.length / hiddenSize; row++) {
    const [head, inside] = [Math.floor(row / headSize), row % headSize]
    const source = head * headSize + (inside % 2) * half + Math.floor(inside / 2)
    const values = data.subarray(source * hiddenSize, (source + 1) * hiddenSize)
    out.set(values, row * hiddenSize)
  }
  return out
}
