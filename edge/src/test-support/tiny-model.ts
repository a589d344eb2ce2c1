import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { createModelSource } from '../models/model-source.ts'
import type { EdgeModel, ModelSource } from '../models/model-source.ts'

/** The folder of the model `tiny`: a real tokenizer and manifest, no weights. */
export const TINY_FOLDER = path.join(import.meta.dirname, '../../fixtures/tiny-model')

export function createTinySource(): ModelSource {
  return createModelSource({
    folders: () => Promise.resolve([TINY_FOLDER]),
    read: async (folder, file) => new Uint8Array(await readFile(path.join(folder, file))),
  })
}

/** What a worker says that has loaded it. */
export const TINY_LOADED = [
  {
    id: 'tiny',
    tokenizerSha256: '204dec5c54217e2da9e5367c961c988b4e516be97f7649df689b093808cc6e5f',
  },
]

export async function loadTiny(): Promise<EdgeModel> {
  const model = await createTinySource().find('tiny')
  if (model === undefined) throw new Error('the fixture is missing')
  return model
}

/** Special tokens of the tiny vocabulary. */
export const TINY = { bos: 1, eos: 2, mask: 3, system: 4, user: 5, assistant: 6, end: 7 } as const
