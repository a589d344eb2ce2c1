import { cp } from 'node:fs/promises'
import { buildModel } from '../../gpu-worker/src/model-builder/build-model.ts'
import {
  writeRandomCheckpoint,
  type RandomModel,
} from '../../gpu-worker/src/testing/random-checkpoint.ts'
import { cachedFolder } from './model-cache.ts'
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

/** Builds the model as any other model is built, once; gives its folder. */
export function randomModel(name: ShapeName): Promise<string> {
  const shape = {
    type: 'llama' as const,
    seed: SEED,
    headSize: HEAD_SIZE,
    tied: true,
    ...RANDOM_SHAPES[name],
  }
  return cachedFolder(`random-${name}`, shape, async (folder) => {
    const checkpoint = await writeRandomCheckpoint(shape)
    try {
      await buildModel(checkpoint.folder, 'int8')
      await cp(checkpoint.folder, folder, { recursive: true })
    } finally {
      await checkpoint.remove()
    }
  })
}

/** Weights that a token passes through: an embedding that is the head's as well counts once. */
export function parameterCount(shape: Shape): number {
  const { layers, hiddenSize, heads, keyValueHeads, intermediateSize, vocabularySize } = shape
  const attention = (2 * heads + 2 * keyValueHeads) * HEAD_SIZE * hiddenSize
  return layers * (attention + 3 * hiddenSize * intermediateSize) + vocabularySize * hiddenSize
}
