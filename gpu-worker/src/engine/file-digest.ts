import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'

import { ModelError } from './model-error.ts'

/** Bytes hashed at a time. */
const HASH_BLOCK_BYTES = 1024 * 1024

/** Digest of a file of any size, in hex; `onBytes` is told how many more were read. */
export async function sha256OfFile(
  folder: string,
  file: string,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<string> {
  const hash = createHash('sha256')
  let handle: FileHandle | undefined
  try {
    handle = await open(join(folder, file), 'r')
    for await (const chunk of chunksOf(handle)) {
      hash.update(chunk)
      onBytes(chunk.length)
    }
  } catch (cause) {
    throw fileError(folder, file, cause)
  } finally {
    await handle?.close()
  }
  return hash.digest('hex')
}

/** A file from its start. A chunk is valid until the next is asked for, which is read meanwhile. */
async function* chunksOf(handle: FileHandle): AsyncGenerator<Uint8Array> {
  const buffers = [new Uint8Array(HASH_BLOCK_BYTES), new Uint8Array(HASH_BLOCK_BYTES)] as const
  const readInto = (buffer: Uint8Array) => handle.read(buffer, 0, buffer.length)
  let [now, after] = buffers
  let next = readInto(now)
  for (;;) {
    const { bytesRead } = await next
    if (bytesRead === 0) return
    next = readInto(after)
    yield now.subarray(0, bytesRead)
    ;[now, after] = [after, now]
  }
}

/** A file that cannot be read, as one line with the system's code. */
export function fileError(folder: string, file: string, cause: unknown): ModelError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
  return new ModelError(file, `cannot be read from ${folder} (${code})`, { cause })
}
