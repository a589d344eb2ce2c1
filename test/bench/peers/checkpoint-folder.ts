import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { manifestSchema, type Architecture, type Manifest } from '@setblock/shared'
import {
  parseSafetensors,
  type TensorFile,
} from '../../../gpu-worker/src/model-builder/safetensors.ts'

/** A built model folder, from the side of its weights: what the other engines' files are made of. */
export interface CheckpointFolder {
  readonly folder: string
  readonly manifest: Manifest
  readonly architecture: Architecture
  /** By their Hugging Face names. */
  readonly tensors: TensorFile
}

export async function readManifest(folder: string): Promise<Manifest> {
  const text = await readFile(path.join(folder, 'setblock.json'), 'utf8')
  return manifestSchema.parse(JSON.parse(text))
}

export async function readCheckpointFolder(folder: string): Promise<CheckpointFolder> {
  const manifest = await readManifest(folder)
  const { file } = manifest.weights
  const tensors = parseSafetensors(await readFile(path.join(folder, file)), file)
  return { folder, manifest, architecture: manifest.architecture, tensors }
}
