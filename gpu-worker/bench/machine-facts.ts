import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'

/** What a measured number must be printed with. The commit is null outside a git checkout. */
export function machineFacts(): { machine: string; commit: string | null } {
  const machine = `${cpus()[0]?.model.trim()} x ${cpus().length}, Node ${process.version}`
  try {
    const options = { encoding: 'utf8', stdio: 'pipe', cwd: import.meta.dirname } as const
    return { machine, commit: execFileSync('git', ['rev-parse', 'HEAD'], options).trim() }
  } catch {
    return { machine, commit: null }
  }
}
