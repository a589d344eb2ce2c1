import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'

import { parseConfig } from './hf-config.ts'
import type { CheckpointConfig } from './hf-config.ts'
import { GRAPH_BYTES_MAX, JSON_BYTES_MAX } from './limits.ts'
import { ModelError } from '../engine/model-error.ts'
import { parseSafetensors } from './safetensors.ts'
import { parseSource } from './source.ts'
import type { ModelSource } from './source.ts'
import { readWeights } from './weights.ts'
import type { ModelWeights } from './weights.ts'

export const WEIGHTS_FILE = 'model.safetensors'

/** A Hugging Face model folder, checked and read whole. */
export interface Checkpoint extends CheckpointConfig {
  readonly source: ModelSource
  readonly weights: ModelWeights
  readonly weightsSha256: string
}

export async function readCheckpoint(folder: string): Promise<Checkpoint> {
  const config = parseConfig(await readJson(folder, 'config.json'))
  const source = parseSource(await readJson(folder, 'setblock.source.json'), config)
  const bytes = await readBytes(folder, WEIGHTS_FILE, GRAPH_BYTES_MAX * 4)
  return {
    ...config,
    source,
    weights: readWeights(parseSafetensors(bytes, WEIGHTS_FILE), config.architecture),
    weightsSha256: sha256([bytes]),
  }
}

export async function readBytes(
  folder: string,
  file: string,
  bytesMax: number,
): Promise<Uint8Array> {
  const path = join(folder, file)
  try {
    const { size } = await stat(path)
    if (size > bytesMax) throw new ModelError(file, `has ${size} bytes, the limit is ${bytesMax}`)
    return await readFile(path)
  } catch (cause) {
    if (cause instanceof ModelError) throw cause
    throw new ModelError(file, `cannot be read from ${folder} (${errorCode(cause)})`, { cause })
  }
}

export async function readJson(folder: string, file: string): Promise<unknown> {
  const bytes = await readBytes(folder, file, JSON_BYTES_MAX)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new ModelError(file, 'is not valid JSON', { cause })
  }
}

export function sha256(chunks: Iterable<Uint8Array>): string {
  const hash = createHash('sha256')
  for (const chunk of chunks) hash.update(chunk)
  return hash.digest('hex')
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}
