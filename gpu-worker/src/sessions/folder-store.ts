import { link, mkdir, open, readdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { randomUUID } from 'node:crypto'
import { assertName, type ObjectStore, type StoredObject, type StoreTier } from './object-store.ts'

/** Names of files that are being written; never the name of an object. */
const PARTIAL = '.partial-'
/** Nobody writes a file for as long as this: its writer has died. */
const PARTIAL_AGE_MS = 600_000
/** Errors of a disk, or a share of one, without room. */
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT'])

/**
 * Objects as files of a local folder. A file is written under another name, synced, and linked to
 * its own: `link` fails if the name is taken, on every POSIX file system, and never replaces.
 */
export class FolderStore implements ObjectStore {
  readonly #root: string

  constructor(root: string) {
    this.#root = root
  }

  async get(name: string, onFound?: (tier: StoreTier) => void): Promise<Uint8Array | undefined> {
    const bytes = await readFile(this.#path(name)).catch(absent)
    if (bytes !== undefined) onFound?.('disk')
    return bytes
  }

  async putNew(name: string, bytes: Uint8Array): Promise<boolean> {
    const path = this.#path(name)
    const folder = dirname(path)
    await mkdir(folder, { recursive: true })
    const partial = join(folder, `${PARTIAL}${randomUUID()}`)
    try {
      const file = await open(partial, 'wx', 0o600)
      try {
        await file.writeFile(bytes)
        await file.sync()
      } finally {
        await file.close()
      }
      if (!(await linkNew(partial, path))) return false
      await syncFolder(folder)
      return true
    } finally {
      await unlink(partial).catch(absent)
    }
  }

  async list(folder: string): Promise<StoredObject[]> {
    const entries = await readdir(this.#path(folder), {
      withFileTypes: true,
      recursive: true,
    }).catch(absent)
    const files = (entries ?? []).filter((e) => e.isFile() && !e.name.startsWith(PARTIAL))
    const objects = await Promise.all(
      files.map(async ({ parentPath, name }) => {
        const path = join(parentPath, name)
        const facts = await stat(path).catch(absent)
        if (facts === undefined) return []
        const objectName = relative(this.#root, path).split(sep).join('/')
        return [{ name: objectName, bytes: facts.size, storedMs: facts.mtimeMs }]
      }),
    )
    return objects.flat()
  }

  async remove(name: string): Promise<void> {
    await unlink(this.#path(name)).catch(absent)
  }

  /**
   * Makes the folder if there is none, and does in it what storing takes. A full disk is no error: it may have room again.
   *
   * @throws Error of the system when nothing can be stored here
   */
  async tryOut(): Promise<void> {
    await mkdir(this.#root, { recursive: true, mode: 0o700 })
    const names = [randomUUID(), randomUUID()].map((id) => join(this.#root, `${PARTIAL}${id}`))
    try {
      await writeFile(names[0]!, '', { flag: 'wx' })
      await link(names[0]!, names[1]!)
    } catch (error) {
      if (!FULL.has((error as NodeJS.ErrnoException).code ?? '')) throw error
    } finally {
      await Promise.all(names.map((name) => unlink(name).catch(absent)))
    }
  }

  /** Removes what writers left that were killed; other processes may be writing here right now. */
  async removePartials(): Promise<void> {
    const entries = await readdir(this.#root, { withFileTypes: true, recursive: true }).catch(
      absent,
    )
    for (const { parentPath, name } of entries ?? []) {
      if (!name.startsWith(PARTIAL)) continue
      const path = join(parentPath, name)
      const facts = await stat(path).catch(absent)
      const abandoned = facts !== undefined && Date.now() - facts.mtimeMs > PARTIAL_AGE_MS
      if (abandoned) await rm(path, { force: true })
    }
  }

  #path(name: string): string {
    assertName(name)
    return join(this.#root, ...name.split('/'))
  }
}

async function linkNew(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

/** The name itself must survive a power cut, and it lives in the folder. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function absent(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error
  return undefined
}

const codeOf = (error: unknown): unknown => (error as NodeJS.ErrnoException).code
