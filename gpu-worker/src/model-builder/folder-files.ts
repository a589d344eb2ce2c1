import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'

import { JSON_BYTES_MAX } from './limits.ts'
import { fileError } from '../engine/file-digest.ts'
import { ModelError } from '../engine/model-error.ts'

/** @throws ModelError naming the file if it cannot be read or is larger than `bytesMax`. */
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
    throw fileError(folder, file, cause)
  }
}

/** @throws ModelError naming the file. */
export async function readJson(
  folder: string,
  file: string,
  bytesMax = JSON_BYTES_MAX,
): Promise<unknown> {
  const bytes = await readBytes(folder, file, bytesMax)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new ModelError(file, 'is not valid JSON', { cause })
  }
}

/** As `readJson`, or nothing where there is no such file. */
export async function readJsonIfAny(
  folder: string,
  file: string,
  bytesMax = JSON_BYTES_MAX,
): Promise<unknown> {
  try {
    return await readJson(folder, file, bytesMax)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Whether a ModelError says that the file does not exist. */
export function isMissing(error: unknown): boolean {
  const cause = error instanceof ModelError ? error.cause : undefined
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
}

export function sha256(chunks: Iterable<Uint8Array>): string {
  const hash = createHash('sha256')
  for (const chunk of chunks) hash.update(chunk)
  return hash.digest('hex')
}
