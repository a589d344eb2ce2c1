import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

export const repository = path.resolve(import.meta.dirname, '..', '..')

/** Folders that hold what is installed, built or kept by a run: never part of the repository. */
const SKIPPED = new Set([
  '.git',
  '.setblock',
  '.wrangler',
  'node_modules',
  '__pycache__',
  '.pytest_cache',
  'build',
])
const SKIPPED_PATHS = new Set(['edge/assets', 'client/dist'])

export interface SourceFile {
  /** Relative to the repository, with forward slashes. */
  readonly path: string
  readonly text: string
}

/** The files below a folder of the repository whose name ends in one of the endings given. */
export function readSources(folder: string, endings: readonly string[]): SourceFile[] {
  return listFiles(folder)
    .filter((file) => endings.some((ending) => file.endsWith(ending)))
    .map((file) => ({ path: file, text: readFileSync(path.join(repository, file), 'utf8') }))
}

export const isTest = ({ path: file }: SourceFile): boolean =>
  file.endsWith('.test.ts') || file.includes('/test-support/')

function listFiles(folder: string): string[] {
  return readdirSync(path.join(repository, folder), { withFileTypes: true }).flatMap((entry) => {
    const file = path.posix.join(folder, entry.name)
    if (SKIPPED.has(entry.name) || SKIPPED_PATHS.has(file)) return []
    return entry.isDirectory() ? listFiles(file) : [file]
  })
}
