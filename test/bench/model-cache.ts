import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { repository } from '../../scripts/start/services.ts'

const cache = path.join(repository, '.setblock', 'bench')

export interface CacheKey {
  readonly name: string
  /** What is to be built. */
  readonly facts: unknown
  /** Files and folders of the repository whose code builds it. */
  readonly builders: readonly string[]
}

/** The folder that `build` fills; filled anew when the facts or the builders have changed. */
export async function cachedFolder(
  { name, facts, builders }: CacheKey,
  build: (folder: string) => Promise<void>,
): Promise<string> {
  const key = createHash('sha256')
    .update(JSON.stringify(facts))
    .update(await digestOf(builders))
  const folder = path.join(cache, `${name}-${key.digest('hex').slice(0, 16)}`)
  if (existsSync(folder)) return folder
  await removeEarlier(name)
  const partial = `${folder}.partial`
  await mkdir(partial, { recursive: true })
  await build(partial)
  await rename(partial, folder)
  return folder
}

/** Changes with any line of these sources. */
export async function digestOf(sources: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  for (const source of sources) {
    for (const file of await filesOf(path.join(repository, source))) {
      hash.update(await readFile(file))
    }
  }
  return hash.digest('hex')
}

async function filesOf(place: string): Promise<string[]> {
  if ((await stat(place)).isFile()) return [place]
  const files = await readdir(place)
  const sources = files.filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
  return sources.sort().map((file) => path.join(place, file))
}

async function removeEarlier(name: string): Promise<void> {
  const entries = existsSync(cache) ? await readdir(cache) : []
  for (const entry of entries.filter((each) => each.startsWith(`${name}-`))) {
    await rm(path.join(cache, entry), { recursive: true })
  }
}
