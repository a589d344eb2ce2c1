import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { repository } from '../../scripts/start/services.ts'

const cache = path.join(repository, '.setblock', 'bench')

/** Whatever these folders say decides what a built file holds. */
const BUILDERS = ['gpu-worker/src/model-builder', 'gpu-worker/src/testing', 'test/bench/peers']

/** The folder that `build` fills for these facts; filled anew when the facts or the builders have changed. */
export async function cachedFolder(
  name: string,
  facts: unknown,
  build: (folder: string) => Promise<void>,
): Promise<string> {
  const digest = createHash('sha256')
    .update(JSON.stringify(facts))
    .update(await buildersDigest())
  const folder = path.join(cache, `${name}-${digest.digest('hex').slice(0, 16)}`)
  if (existsSync(folder)) return folder
  await removeEarlier(name)
  const partial = `${folder}.partial`
  await rm(partial, { recursive: true, force: true })
  await mkdir(partial, { recursive: true })
  await build(partial)
  await rename(partial, folder)
  return folder
}

async function removeEarlier(name: string): Promise<void> {
  const entries = existsSync(cache) ? await readdir(cache) : []
  for (const entry of entries.filter((each) => each.startsWith(`${name}-`))) {
    await rm(path.join(cache, entry), { recursive: true })
  }
}

async function buildersDigest(): Promise<string> {
  const hash = createHash('sha256')
  for (const folder of BUILDERS) {
    const place = path.join(repository, folder)
    const files = await readdir(place, { recursive: true })
    const sources = files.filter((file) => file.endsWith('.ts') && !file.includes('node_modules'))
    for (const file of sources.sort()) hash.update(await readFile(path.join(place, file)))
  }
  return hash.digest('hex')
}
