import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'
import path from 'node:path'
import { repository } from '../../scripts/start/services.ts'

export const bundledModel = path.join(repository, 'models', 'setblock-nano')

/** What a number must be printed with. The commit is null outside a git checkout. */
export function provenance(): { commit: string | null; machine: string } {
  const machine = `${cpus()[0]?.model.trim()} x ${cpus().length}, Node ${process.version}`
  try {
    const options = { encoding: 'utf8', cwd: repository, stdio: 'pipe' } as const
    return { commit: execFileSync('git', ['rev-parse', 'HEAD'], options).trim(), machine }
  } catch {
    return { commit: null, machine }
  }
}
