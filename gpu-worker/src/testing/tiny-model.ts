import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildModel } from '../model-builder/build-model.ts'

/** Random weights, vocabulary 128, context 96. */
const checkpoint = fileURLToPath(new URL('../../test-fixtures/golden-llama', import.meta.url))

export interface TinyModel {
  readonly folder: string
  remove(): Promise<void>
}

/**
 * A real model folder, built from the golden Llama checkpoint. The worker never reads its
 * tokenizer.
 */
export async function buildTinyModel(): Promise<TinyModel> {
  const folder = await mkdtemp(join(tmpdir(), 'setblock-tiny-'))
  await cp(checkpoint, folder, { recursive: true })
  await writeFile(join(folder, 'tokenizer.json'), '{}')
  await writeFile(join(folder, 'tokenizer_config.json'), '{}')
  await buildModel(folder, 'int8')
  return { folder, remove: () => rm(folder, { recursive: true }) }
}
