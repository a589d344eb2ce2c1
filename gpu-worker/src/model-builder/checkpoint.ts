import { basename, resolve } from 'node:path'

import { readJson } from './folder-files.ts'
import { parseConfig } from './hf-config.ts'
import type { CheckpointConfig } from './hf-config.ts'
import { resolveSource } from './source.ts'
import type { ResolvedSource, SourceOptions } from './source.ts'
import { TensorFiles } from './tensor-files.ts'
import { readWeights } from './weights.ts'
import type { ModelWeights } from './weights.ts'

/** A Hugging Face model folder, checked, with its matrices still in their files. */
export interface Checkpoint extends CheckpointConfig, ResolvedSource {
  readonly weights: ModelWeights
  readonly files: TensorFiles
}

/** Whoever opens a checkpoint closes its `files`. The model is named after the folder at last. */
export async function openCheckpoint(
  folder: string,
  options: SourceOptions & { fallbackId?: string } = {},
): Promise<Checkpoint> {
  const { fallbackId = basename(resolve(folder)), ...flags } = options
  const config = parseConfig(await readJson(folder, 'config.json'))
  const resolved = await resolveSource(folder, config, { ...flags, fallbackId })
  const { addedMaskId } = resolved
  const files = await TensorFiles.open(folder)
  try {
    const weights = await readWeights(files, config.architecture, addedMaskId)
    const { vocabularySize } = config.architecture
    const architecture = {
      ...config.architecture,
      vocabularySize: Math.max(vocabularySize, (addedMaskId ?? -1) + 1),
    }
    return { ...config, architecture, ...resolved, files, weights }
  } catch (error) {
    await files.close()
    throw error
  }
}
