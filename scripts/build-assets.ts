/**
 * Copies what the edge needs of each model (its manifest and tokenizer, never its weights) into the
 * folder that is deployed as static assets, with an `index.json` naming them, and builds the
 * playground into a folder beside them.
 *
 *     npm run build:assets [-- MODEL_FOLDER ...]
 *
 * Without arguments: the models in SETBLOCK_MODEL, separated by commas, or else every folder in models/. SETBLOCK_ASSETS
 * names another folder to write.
 */
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { manifestSchema, parseWith, type Manifest } from '@setblock/shared'
import { PAGE_FOLDER } from '../edge/src/page/page-source.ts'
import { buildPage } from './build-page.ts'

const repository = path.dirname(import.meta.dirname)
const modelsFolder = path.join(repository, 'models')
const MANIFEST_FILE = 'setblock.json'
/** Workers refuse larger assets. */
const ASSET_BYTES_MAX = 25 * 1024 * 1024

export interface BuildAssetsOptions {
  readonly modelFolders: readonly string[]
  /** Emptied first. */
  readonly assetsFolder: string
}

/** What `index.json` holds: ids are folder names below it, in alphabetical order. */
export interface AssetIndex {
  readonly models: readonly string[]
}

/**
 * Writes `index.json` and `<id>/{setblock.json, tokenizer files}`.
 *
 * @throws Error naming the file that is missing, malformed or not the one its manifest describes.
 */
export async function buildAssets(options: BuildAssetsOptions): Promise<AssetIndex> {
  const models = await Promise.all(options.modelFolders.map(readModel))
  const ids = models.map(({ manifest }) => manifest.id).toSorted()
  const repeated = ids.find((id, index) => ids[index + 1] === id)
  if (repeated !== undefined) throw new Error(`two model folders have the id ${repeated}`)

  await rm(options.assetsFolder, { recursive: true, force: true })
  for (const { manifest, files } of models) {
    const folder = path.join(options.assetsFolder, manifest.id)
    await mkdir(folder, { recursive: true })
    for (const [name, bytes] of files) await writeFile(path.join(folder, name), bytes)
  }
  const index: AssetIndex = { models: ids }
  await writeFile(path.join(options.assetsFolder, 'index.json'), `${JSON.stringify(index)}\n`)
  return index
}

interface ModelFiles {
  readonly manifest: Manifest
  readonly files: ReadonlyMap<string, Buffer>
}

async function readModel(folder: string): Promise<ModelFiles> {
  const manifestPath = path.join(folder, MANIFEST_FILE)
  const manifestBytes = await readAsset(manifestPath)
  const manifest = parseManifest(manifestPath, manifestBytes)
  const { file, sha256, configFile, configSha256 } = manifest.tokenizer
  const files = new Map([[MANIFEST_FILE, manifestBytes]])
  for (const [name, digest] of [
    [file, sha256],
    [configFile, configSha256],
  ] as const) {
    const bytes = await readAsset(path.join(folder, name))
    if (createHash('sha256').update(bytes).digest('hex') !== digest) {
      throw new Error(`${path.join(folder, name)} is not the file that ${manifestPath} describes`)
    }
    files.set(name, bytes)
  }
  return { manifest, files }
}

function parseManifest(file: string, bytes: Buffer): Manifest {
  try {
    return parseWith(manifestSchema, JSON.parse(bytes.toString()))
  } catch (error) {
    throw new Error(`${file}: ${(error as Error).message}`, { cause: error })
  }
}

async function readAsset(file: string): Promise<Buffer> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw new Error(`cannot read ${file}; has the model been built (npx setblock build)?`, {
      cause: error,
    })
  })
  if (bytes.length > ASSET_BYTES_MAX) throw new Error(`${file} exceeds ${ASSET_BYTES_MAX} bytes`)
  return bytes
}

/** The model folders to publish, from the command line, the environment or the repository. */
async function chooseFolders(): Promise<string[]> {
  const named = parseArgs({ allowPositionals: true }).positionals
  if (named.length > 0) return named
  const { SETBLOCK_MODEL: list } = process.env
  if (list !== undefined) return list.split(',').map((folder) => folder.trim())
  const entries = await readdir(modelsFolder, { withFileTypes: true }).catch(() => [])
  const found = entries.filter((entry) => entry.isDirectory())
  if (found.length === 0) throw new Error(`there is no model folder in ${modelsFolder}`)
  return found.map((entry) => path.join(modelsFolder, entry.name))
}

if (import.meta.main) {
  try {
    const assetsFolder = process.env.SETBLOCK_ASSETS ?? path.join(repository, 'edge', 'assets')
    await buildAssets({ modelFolders: await chooseFolders(), assetsFolder })
    await buildPage(path.join(assetsFolder, PAGE_FOLDER))
  } catch (error) {
    process.stderr.write(`build-assets: ${(error as Error).message}\n`)
    process.exitCode = 1
  }
}
