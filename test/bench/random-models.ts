import { cp, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { buildModel } from '../../gpu-worker/src/model-builder/build-model.ts'
import {
  writeRandomCheckpoint,
  type RandomModel,
} from '../../gpu-worker/src/testing/random-checkpoint.ts'
import { cachedFolder, digestOf } from './model-cache.ts'
import { SEED } from './workload.ts'

type Shape = Pick<
  RandomModel,
  | 'layers'
  | 'hiddenSize'
  | 'heads'
  | 'keyValueHeads'
  | 'intermediateSize'
  | 'vocabularySize'
  | 'contextLength'
>

const HEAD_SIZE = 64

/** Shapes of no trained model: their time is real, their text is not. */
export const RANDOM_SHAPES = {
  /** setblock-nano with room for 4k positions. */
  'nano-4k': {
    layers: 4,
    hiddenSize: 256,
    heads: 4,
    keyValueHeads: 2,
    intermediateSize: 704,
    vocabularySize: 4096,
    contextLength: 4608,
  },
  '25M': {
    layers: 8,
    hiddenSize: 512,
    heads: 8,
    keyValueHeads: 4,
    intermediateSize: 1408,
    vocabularySize: 4096,
    contextLength: 1024,
  },
  '100M': {
    layers: 12,
    hiddenSize: 768,
    heads: 12,
    keyValueHeads: 4,
    intermediateSize: 2048,
    vocabularySize: 32_000,
    contextLength: 1024,
  },
  '500M': {
    layers: 26,
    hiddenSize: 1280,
    heads: 20,
    keyValueHeads: 4,
    intermediateSize: 3584,
    vocabularySize: 32_000,
    contextLength: 1024,
  },
} as const satisfies Record<string, Shape>

export type ShapeName = keyof typeof RANDOM_SHAPES

const GRAPH_BUILDERS = ['gpu-worker/src/model-builder', 'gpu-worker/src/model-builder/graph']

/** Draws the weights once, and builds the graph as any model's is built, whenever the builder has changed. */
export async function randomModel(name: ShapeName): Promise<string> {
  const fixed = { type: 'llama', seed: SEED, headSize: HEAD_SIZE, tied: true } as const
  const shape = { ...fixed, ...RANDOM_SHAPES[name] }
  const builders = ['random-checkpoint', 'safetensors-writer', 'seeded-random'].map(
    (file) => `gpu-worker/src/testing/${file}.ts`,
  )
  const key = { name: `random-${name}`, facts: shape, builders }
  const folder = await cachedFolder(key, async (empty) => {
    const checkpoint = await writeRandomCheckpoint(shape)
    await cp(checkpoint.folder, empty, { recursive: true })
    await checkpoint.remove()
  })
  const stamp = path.join(folder, 'builder.sha256')
  const digest = await digestOf(GRAPH_BUILDERS)
  if ((await readFile(stamp, 'utf8').catch(() => '')) !== digest) {
    await buildModel({ folder, targets: ['cpu-int8'] })
    await writeFile(stamp, digest)
  }
  return folder
}

/** Weights that a token passes through: an embedding that is the head's as well counts once. */
export function parameterCount(shape: Shape): number {
  const { layers, hiddenSize, heads, keyValueHeads, intermediateSize, vocabularySize } = shape
  const attention = (2 * heads + 2 * keyValueHeads) * HEAD_SIZE * hiddenSize
  return layers * (attention + 3 * hiddenSize * intermediateSize) + vocabularySize * hiddenSize
}
