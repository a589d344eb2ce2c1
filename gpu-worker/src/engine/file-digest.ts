import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'

import { ModelError } from './model-error.ts'

/** Bytes hashed at a time. */
const HASH_BLOCK_BYTES = 4 * 1024 * 1024

/** Digest of a file of any size, in hex; `onBytes` is told how many more were read. */
export async function sha256OfFile(
  folder: string,
  file: string,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<string> {
  const hash = createHash('sha256')
  const stream = createReadStream(join(folder, file), { highWaterMark: HASH_BLOCK_BYTES })
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      hash.update(chunk)
      onBytes(chunk.length)
    }
  } catch (cause) {
    throw fileError(folder, file, cause)
  }
  return hash.digest('hex')
}

/** A file that cannot be read, as one line with the system's code. */
export function fileError(folder: string, file: string, cause: unknown): ModelError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
  return new ModelError(file, `cannot be read from ${folder} (${code})`, { cause })
}
