import { open, readdir, stat, truncate, unlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Random } from './random.ts'

/** Every file below a folder, in a fixed order. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .toSorted()
}

/** What a bad disk, a bad copy or a bad operator does to a file. */
export async function damageFile(file: string, random: Random): Promise<void> {
  const { size } = await stat(file)
  const kind = random.pick(['flip', 'cut', 'empty', 'garbage', 'remove'] as const)
  switch (kind) {
    case 'flip':
      return flipBit(file, random.below(size * 8))
    case 'cut':
      return truncate(file, random.below(size))
    case 'empty':
      return truncate(file, 0)
    case 'garbage':
      return writeFile(
        file,
        Uint8Array.from({ length: 300 }, () => random.below(256)),
      )
    case 'remove':
      return unlink(file)
  }
}

export async function flipBit(file: string, bit: number): Promise<void> {
  const handle = await open(file, 'r+')
  try {
    const byte = new Uint8Array(1)
    await handle.read(byte, 0, 1, bit >> 3)
    byte[0]! ^= 1 << (bit & 7)
    await handle.write(byte, 0, 1, bit >> 3)
  } finally {
    await handle.close()
  }
}
