import type { Architecture } from '@setblock/shared'

import { ModelError } from '../engine/model-error.ts'
import { withMeanRow } from './mask-row.ts'
import { groupMajorPlace, matrix, stacked } from './matrix.ts'
import type { Matrix, MatrixPart } from './matrix.ts'
import type { FileTensor, TensorFiles } from './tensor-files.ts'

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

/** A checkpoint's weights: vectors read, matrices checked and still in their files. */
export interface ModelWeights {
  /** Its outputs are the vocabulary, its inputs the hidden values. */
  readonly embedding: Matrix
  readonly layers: readonly LayerWeights[]
  readonly finalNorm: Float32Array
  /** Of the same tensor as the embedding where the two are tied. */
  readonly head: Matrix
}

/**
 * Picks a checkpoint's tensors by their Hugging Face names and checks every shape.
 *
 * @param architecture as the files have it
 * @param addedToken id of a token whose rows in embedding and head become the mean of the others
 */
export async function readWeights(
  files: TensorFiles,
  architecture: Architecture,
  addedToken?: number,
): Promise<ModelWeights> {
  const { hiddenSize, vocabularySize, layers, tiedEmbeddings } = architecture
  const rows = async (name: string) => {
    const tensor = take(files, name, [vocabularySize, hiddenSize])
    return addedToken === undefined ? matrix(tensor) : withMeanRow(tensor, addedToken)
  }
  const embedding = await rows('model.embed_tokens.weight')
  const layerWeights: LayerWeights[] = []
  for (let index = 0; index < layers; index++) {
    layerWeights.push(await readLayer(files, architecture, `model.layers.${index}.`))
  }
  return {
    embedding,
    layers: layerWeights,
    finalNorm: await takeVector(files, 'model.norm.weight', hiddenSize),
    head: tiedEmbeddings ? embedding : await rows('lm_head.weight'),
  }
}

async function readLayer(
  files: TensorFiles,
  architecture: Architecture,
  prefix: string,
): Promise<LayerWeights> {
  const { type, hiddenSize, heads, headSize, attentionBias = false } = architecture
  const vector = (name: string, length: number) =>
    takeVector(files, `${prefix}${name}.weight`, length)
  const place = groupMajorPlace(architecture)
  const output = matrix(
    take(files, `${prefix}self_attn.o_proj.weight`, [hiddenSize, heads * headSize]),
  )
  const outputBias = attentionBias && type !== 'qwen2'
  return {
    queryKeyValue: await readQueryKeyValue(files, architecture, prefix),
    attentionOutput: {
      ...output,
      columnRuns: { length: headSize, place },
      ...(await takeBias(files, `${prefix}self_attn.o_proj`, outputBias ? hiddenSize : undefined)),
    },
    ...(await readMlp(files, architecture, prefix)),
    attentionNorm: await vector('input_layernorm', hiddenSize),
    mlpNorm: await vector('post_attention_layernorm', hiddenSize),
    ...(architecture.qkNorm && {
      queryNorm: await vector('self_attn.q_norm', headSize),
      keyNorm: await vector('self_attn.k_norm', headSize),
    }),
  }
}

async function readQueryKeyValue(
  files: TensorFiles,
  architecture: Architecture,
  prefix: string,
): Promise<Matrix> {
  const { hiddenSize, heads, keyValueHeads, headSize, attentionBias = false } = architecture
  const headPlace = groupMajorPlace(architecture)
  const queryPlace = (row: number) =>
    headPlace(Math.floor(row / headSize)) * headSize + (row % headSize)
  const parts: MatrixPart[] = []
  const biases: Float32Array[] = []
  for (const [name, count] of [
    ['q', heads],
    ['k', keyValueHeads],
    ['v', keyValueHeads],
  ] as const) {
    const outputs = count * headSize
    const linear = `${prefix}self_attn.${name}_proj`
    const part = {
      tensor: take(files, `${linear}.weight`, [outputs, hiddenSize]),
      rows: [0, outputs],
    } as const
    parts.push(name === 'q' ? { ...part, place: queryPlace } : part)
    const { bias } = await takeBias(files, linear, attentionBias ? outputs : undefined)
    if (bias !== undefined) biases.push(name === 'q' ? placed(bias, queryPlace) : bias)
  }
  return { ...stacked(parts), ...(biases.length > 0 && { bias: joined(biases) }) }
}

async function readMlp(
  files: TensorFiles,
  { hiddenSize, intermediateSize, mlpBias = false }: Architecture,
  prefix: string,
): Promise<Pick<LayerWeights, 'gate' | 'up' | 'down'>> {
  const linear = async (name: string, outputs: number, inputs: number): Promise<Matrix> => {
    const full = `${prefix}mlp.${name}_proj`
    const rows = matrix(take(files, `${full}.weight`, [outputs, inputs]))
    return { ...rows, ...(await takeBias(files, full, mlpBias ? outputs : undefined)) }
  }
  return {
    gate: await linear('gate', intermediateSize, hiddenSize),
    up: await linear('up', intermediateSize, hiddenSize),
    down: await linear('down', hiddenSize, intermediateSize),
  }
}

function placed(values: Float32Array, place: (index: number) => number): Float32Array {
  const ordered = new Float32Array(values.length)
  for (const [index, value] of values.entries()) ordered[place(index)] = value
  return ordered
}

function joined(vectors: readonly Float32Array[]): Float32Array {
  return Float32Array.from(vectors.flatMap((vector) => [...vector]))
}

/** Nothing without `length`; a bias in the file that the architecture does not know is refused. */
async function takeBias(
  files: TensorFiles,
  linear: string,
  length: number | undefined,
): Promise<{ bias?: Float32Array }> {
  const name = `${linear}.bias`
  if (length !== undefined) return { bias: await takeVector(files, name, length) }
  if (!files.has(name)) return {}
  throw new ModelError(name, 'is in the checkpoint, but config.json knows of no such bias')
}

async function takeVector(files: TensorFiles, name: string, length: number): Promise<Float32Array> {
  const values = await take(files, name, [length]).read(0, length)
  if (!values.every(Number.isFinite)) {
    throw new ModelError(name, 'holds a value that is not finite')
  }
  return values
}

function take(files: TensorFiles, name: string, shape: readonly number[]): FileTensor {
  const tensor = files.find(name)
  if (tensor.shape.join() !== shape.join()) {
    throw new ModelError(
      name,
      `shape is [${tensor.shape.join(', ')}], config.json asks for [${shape.join(', ')}]`,
    )
  }
  return tensor
}
