import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { manifestSchema, parseWith, type Architecture } from '@setblock/shared'

const llama = {
  type: 'llama',
  keyValueHeads: 8,
  vocabularySize: 128_256,
  ropeTheta: 500_000,
  normEpsilon: 1e-5,
  tiedEmbeddings: false,
  qkNorm: false,
} as const

/** Sizes of Llama 3.2 1B and Llama 3.1 8B and 70B, by their published configurations. */
export const SIZES: Readonly<Record<string, Architecture>> = {
  '1b': {
    ...llama,
    layers: 16,
    hiddenSize: 2048,
    heads: 32,
    headSize: 64,
    intermediateSize: 8192,
    tiedEmbeddings: true,
  },
  '8b': {
    ...llama,
    layers: 32,
    hiddenSize: 4096,
    heads: 32,
    headSize: 128,
    intermediateSize: 14_336,
  },
  '70b': {
    ...llama,
    layers: 80,
    hiddenSize: 8192,
    heads: 64,
    headSize: 128,
    intermediateSize: 28_672,
  },
}

/** A size by its name, or the architecture of a model folder. @throws Error naming what is wrong */
export async function findArchitecture(model: string): Promise<Architecture> {
  const known = SIZES[model.toLowerCase()]
  if (known !== undefined) return known
  const file = path.join(model, 'setblock.json')
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    const names = Object.keys(SIZES).join(', ')
    throw new Error(`--model: ${model} is none of ${names}, nor a model folder`, { cause })
  })
  return parseWith(manifestSchema, JSON.parse(text)).architecture
}
