/** Builds the playground (edge/playground) with vite, or takes the build of the same sources. */
import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'

const repository = path.dirname(import.meta.dirname)
const cache = path.join(repository, 'node_modules', '.cache', 'setblock-playground')

/** What the built page depends on: its own sources, the contract, and the packages it uses. */
const SOURCES = [
  'edge/playground/index.html',
  'edge/playground/vite.config.ts',
  'edge/playground/tsconfig.json',
  'tsconfig.base.json',
  'edge/playground/src',
  'shared/src',
  'package-lock.json',
]

export interface BuiltPage {
  /** Whether an earlier build of the same sources was taken. */
  readonly cached: boolean
}

/**
 * Puts the built page into `folder`, which it creates.
 *
 * @throws Error of vite when the sources do not build.
 */
export async function buildPage(folder: string): Promise<BuiltPage> {
  const built = path.join(cache, await digestSources())
  const cached = await exists(built)
  if (!cached) await buildInto(built)
  await cp(built, folder, { recursive: true })
  return { cached }
}

async function buildInto(target: string): Promise<void> {
  await mkdir(cache, { recursive: true })
  const draft = await mkdtemp(path.join(cache, 'draft-'))
  try {
    // Loaded only when needed: a build that is there already must not wait for the build tool.
    const [{ build }, { default: config }] = await Promise.all([
      import('vite'),
      import('../edge/playground/vite.config.ts'),
    ])
    const outDir = path.join(draft, 'page')
    await build({
      ...config,
      configFile: false,
      logLevel: 'warn',
      build: { ...config.build, outDir, emptyOutDir: false },
    })
    // In one step, so that nobody who builds at the same time finds half a page.
    await rename(outDir, target).catch(async (error: unknown) => {
      if (!(await exists(target))) throw error
    })
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

async function digestSources(): Promise<string> {
  const hash = createHash('sha256')
  const files = (await Promise.all(SOURCES.map(listFiles))).flat()
  for (const file of files.filter((name) => !name.endsWith('.test.ts')).toSorted()) {
    hash.update(`${file}\0`).update(await readFile(path.join(repository, file)))
  }
  return hash.digest('hex').slice(0, 32)
}

/** The files at or below a path of the repository, relative to it. */
async function listFiles(source: string): Promise<string[]> {
  const whole = path.join(repository, source)
  if (!(await stat(whole)).isDirectory()) return [source]
  const entries = await readdir(whole, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(repository, path.join(entry.parentPath, entry.name)))
    .map((file) => file.replaceAll(path.sep, '/'))
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  )
}
