import { open, writeFile, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { seededNormal, seededRandom } from '../../gpu-worker/src/testing/seeded-random.ts'

/** The shapes of Llama 3.2 1B and Llama 3.1 8B, whose weights are not ours to ship. */
export const LARGE_SHAPES = {
  '1b': {
    hidden_size: 2048,
    num_hidden_layers: 16,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    head_dim: 64,
    intermediate_size: 8192,
    tie_word_embeddings: true,
  },
  '8b': {
    hidden_size: 4096,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    head_dim: 128,
    intermediate_size: 14_336,
    tie_word_embeddings: false,
  },
} as const
export type LargeName = keyof typeof LARGE_SHAPES
type Shape = (typeof LARGE_SHAPES)[LargeName]

const VOCABULARY = 128_256
const CONTEXT = 131_072
const SHARD_BYTES = 1_900_000_000
/** Random values are drawn once and used again from other places: what matters is that none repeat nearby. */
const POOL_VALUES = 1 << 22

type NamedTensor = readonly [name: string, shape: readonly number[]]

/**
 * Writes a Llama checkpoint with random bfloat16 weights, in shards, a piece at a time.
 *
 * @returns parameters
 */
export async function writeLargeCheckpoint(folder: string, name: LargeName): Promise<number> {
  const shape = LARGE_SHAPES[name]
  await writeFacts(folder, shape)
  const shards = shardsOf(tensorsOf(shape))
  const pool = randomPool()
  const weightMap: Record<string, string> = {}
  for (const [index, tensors] of shards.entries()) {
    const file = `model-${number(index + 1)}-of-${number(shards.length)}.safetensors`
    for (const [tensor] of tensors) weightMap[tensor] = file
    const handle = await open(path.join(folder, file), 'w')
    try {
      await writeShard(handle, tensors, pool)
    } finally {
      await handle.close()
    }
  }
  const json = JSON.stringify({ metadata: {}, weight_map: weightMap })
  await writeFile(path.join(folder, 'model.safetensors.index.json'), json)
  return tensorsOf(shape).reduce((sum, [, dimensions]) => sum + product(dimensions), 0)
}

async function writeFacts(folder: string, shape: Shape): Promise<void> {
  const json = (file: string, value: object) =>
    writeFile(path.join(folder, file), JSON.stringify(value))
  await json('config.json', {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    ...shape,
    vocab_size: VOCABULARY,
    max_position_embeddings: CONTEXT,
    rms_norm_eps: 1e-5,
    rope_theta: 500_000,
    rope_scaling: {
      rope_type: 'llama3',
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    },
    bos_token_id: 128_000,
    eos_token_id: [128_001, 128_009],
  })
  const added_tokens = [{ id: 128_002, content: '<|reserved_special_token_0|>', special: true }]
  await json('tokenizer.json', { added_tokens, pre_tokenizer: { type: 'ByteLevel' } })
  await json('tokenizer_config.json', { mask_token: '<|reserved_special_token_0|>' })
}

function tensorsOf(shape: Shape): NamedTensor[] {
  const { hidden_size: hidden, intermediate_size: inner, head_dim: head } = shape
  const query = shape.num_attention_heads * head
  const keyValue = shape.num_key_value_heads * head
  const layers = Array.from({ length: shape.num_hidden_layers }, (_, layer): NamedTensor[] => {
    const prefix = `model.layers.${layer}`
    return [
      [`${prefix}.self_attn.q_proj.weight`, [query, hidden]],
      [`${prefix}.self_attn.k_proj.weight`, [keyValue, hidden]],
      [`${prefix}.self_attn.v_proj.weight`, [keyValue, hidden]],
      [`${prefix}.self_attn.o_proj.weight`, [hidden, query]],
      [`${prefix}.mlp.gate_proj.weight`, [inner, hidden]],
      [`${prefix}.mlp.up_proj.weight`, [inner, hidden]],
      [`${prefix}.mlp.down_proj.weight`, [hidden, inner]],
      [`${prefix}.input_layernorm.weight`, [hidden]],
      [`${prefix}.post_attention_layernorm.weight`, [hidden]],
    ]
  })
  return [
    ['model.embed_tokens.weight', [VOCABULARY, hidden]],
    ...layers.flat(),
    ['model.norm.weight', [hidden]],
    ...(shape.tie_word_embeddings ? [] : [['lm_head.weight', [VOCABULARY, hidden]] as const]),
  ]
}

function shardsOf(tensors: readonly NamedTensor[]): NamedTensor[][] {
  const shards: NamedTensor[][] = [[]]
  let bytes = 0
  for (const tensor of tensors) {
    const size = 2 * product(tensor[1])
    if (bytes > 0 && bytes + size > SHARD_BYTES) {
      shards.push([])
      bytes = 0
    }
    shards.at(-1)?.push(tensor)
    bytes += size
  }
  return shards
}

/** Normal values of deviation 1 in bfloat16, which is the upper half of a float32. */
function randomPool(): Uint16Array {
  const normal = seededNormal(1)
  const floats = Float32Array.from({ length: POOL_VALUES }, normal)
  return Uint16Array.from(new Uint32Array(floats.buffer), (bits) => bits >>> 16)
}

async function writeShard(
  handle: FileHandle,
  tensors: readonly NamedTensor[],
  pool: Uint16Array,
): Promise<void> {
  const header: Record<string, object> = {}
  let end = 0
  for (const [name, shape] of tensors) {
    const begin = end
    end += 2 * product(shape)
    header[name] = { dtype: 'BF16', shape, data_offsets: [begin, end] }
  }
  const json = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  await handle.writeFile(length)
  await handle.writeFile(json)
  const random = seededRandom(tensors.length)
  for (const [, shape] of tensors) await writeTensor(handle, shape, { pool, random })
}

async function writeTensor(
  handle: FileHandle,
  shape: readonly number[],
  { pool, random }: { pool: Uint16Array; random: () => number },
): Promise<void> {
  const isNorm = shape.length === 1
  // A power of two near 1 / sqrt(inputs), so that scaling changes the exponent alone.
  const exponent = isNorm ? 0 : Math.round(Math.log2(shape.at(-1) ?? 1) / 2)
  const scaled = isNorm ? new Uint16Array(POOL_VALUES).fill(0x3f80) : lowered(pool, exponent)
  for (let left = product(shape); left > 0;) {
    const start = Math.floor((random() * POOL_VALUES) / 2)
    const piece = scaled.subarray(start, start + Math.min(left, POOL_VALUES / 2))
    await handle.writeFile(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength))
    left -= piece.length
  }
}

const loweredPools = new Map<number, Uint16Array>()

/** All values divided by 2^exponent; those too small for that become zero. */
function lowered(pool: Uint16Array, exponent: number): Uint16Array {
  let scaled = loweredPools.get(exponent)
  if (scaled === undefined) {
    scaled = pool.map((bits) => (((bits >> 7) & 0xff) > exponent ? bits - (exponent << 7) : 0))
    loweredPools.set(exponent, scaled)
  }
  return scaled
}

function product(shape: readonly number[]): number {
  return shape.reduce((all, size) => all * size, 1)
}

function number(value: number): string {
  return String(value).padStart(5, '0')
}
