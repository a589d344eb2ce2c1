import { execFileSync } from 'node:child_process'
import { loadavg } from 'node:os'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { provenance } from '../eval/provenance.ts'
import { SEED } from './workload.ts'

const folder = path.join(import.meta.dirname, 'results')

export interface Stamp {
  readonly seed: number
  readonly commit: string | null
  /** Whether tracked files differed from the commit. */
  readonly changed: boolean
  readonly machine: string
  readonly date: string
  /** Of the machine over the last minute, before anything was run. */
  readonly loadBefore: number
}

export function stamp(): Stamp {
  const [lastMinute = 0] = loadavg()
  const date = new Date().toISOString()
  return {
    seed: SEED,
    ...provenance(),
    changed: isChanged(),
    date,
    loadBefore: Number(lastMinute.toFixed(2)),
  }
}

/** Writes the result as `<kind>-<commit>-<machine>.json` and prints it as one line, the last one. */
export async function saveAndPrint(
  kind: string,
  result: Stamp & Readonly<Record<string, unknown>>,
): Promise<void> {
  const commit = result.commit?.slice(0, 8) ?? 'no-commit'
  const machine = result.machine.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
  await mkdir(folder, { recursive: true })
  const file = path.join(folder, `${kind}-${commit}-${machine}.json`)
  await writeFile(file, `${JSON.stringify(result, null, 1)}\n`)
  process.stdout.write(`\n${path.relative(process.cwd(), file)}\n${JSON.stringify(result)}\n`)
}

function isChanged(): boolean {
  const options = { encoding: 'utf8', cwd: import.meta.dirname, stdio: 'pipe' } as const
  try {
    return execFileSync('git', ['status', '--porcelain', '-uno'], options).trim() !== ''
  } catch {
    return false
  }
}
