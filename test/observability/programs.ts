import { spawnSync } from 'node:child_process'

/** Why a test that needs Prometheus's programs cannot run here; undefined where it can. */
export function missing(program: 'promtool' | 'prometheus'): string | undefined {
  const found = spawnSync(program, ['--version']).status === 0
  return found
    ? undefined
    : `SKIPPED: ${program} is not installed (Debian: apt-get install prometheus)`
}
