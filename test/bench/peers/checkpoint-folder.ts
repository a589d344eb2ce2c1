import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { manifestSchema, type Architecture, type Manifest } from '@setblock/shared'
import { readTensors, type WholeTensors } from '../../../gpu-worker/src/testing/read-tensors.ts'

/** A built model folder, from the side of its weights: what the other engines' files are made of. */
export interface CheckpointFolder {
  readonly folder: string
  readonly manifest: Manifest
  readonly architecture: Architecture
  /** By their Hugging Face names. */
  readonly tensors: WholeTensors
}

export async function readManifest(folder: string): Promise<Manifest> {
  const text = await readFile(path.join(folder, 'setblock.json'), 'utf8')
  return manifestSchema.parse(JSON.parse(text))
}

export async function readCheckpointFolder(folder: string): Promise<CheckpointFolder> {
  const manifest = await readManifest(folder)
  const tensors = await readTensors(folder)
  return { folder, manifest, architecture: manifest.architecture, tensors }
}
