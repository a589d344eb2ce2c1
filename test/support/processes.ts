import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 50

/** Whether processes can be found by their environment here. */
export const canFindProcesses = process.platform === 'linux'

/** Ids of the living processes whose environment holds `entry`, such as `NAME=value`. */
export function findProcesses(entry: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => readList(pid, 'environ').includes(entry))
}

/** The program of a process and its arguments; empty when it has ended. */
export function commandOf(pid: number): string[] {
  return readList(pid, 'cmdline')
}

/** Waits until no process has `entry` in its environment; gives the ids of those that stay. */
export async function waitForNoProcess(entry: string, timeoutMs: number): Promise<number[]> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const found = findProcesses(entry)
    if (found.length === 0 || Date.now() > deadline) return found
    await sleep(POLL_MS)
  }
}

/** Empty for processes that have ended or are not ours. */
function readList(pid: number, file: 'environ' | 'cmdline'): string[] {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0')
  } catch {
    return []
  }
}
