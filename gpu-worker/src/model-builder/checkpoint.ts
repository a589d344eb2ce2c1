import { readJson } from './folder-files.ts'
import { parseConfig } from './hf-config.ts'
import type { CheckpointConfig } from './hf-config.ts'
import { parseSource } from './source.ts'
import type { ModelSource } from './source.ts'
import { TensorFiles } from './tensor-files.ts'
import { readWeights } from './weights.ts'
import type { ModelWeights } from './weights.ts'

/** A Hugging Face model folder, checked, with its matrices still in their files. */
export interface Checkpoint extends CheckpointConfig {
  readonly source: ModelSource
  readonly weights: ModelWeights
  readonly files: TensorFiles
}

/** Whoever opens a checkpoint closes its `files`. */
export async function openCheckpoint(folder: string): Promise<Checkpoint> {
  const config = parseConfig(await readJson(folder, 'config.json'))
  const source = parseSource(await readJson(folder, 'setblock.source.json'), config)
  const files = await TensorFiles.open(folder)
  try {
    return { ...config, source, files, weights: await readWeights(files, config.architecture) }
  } catch (error) {
    await files.close()
    throw error
  }
}
