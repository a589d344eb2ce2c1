import { readFileSync } from 'node:fs'
import { canFindProcesses, commandOf, findProcesses } from '../support/processes.ts'

/** The most memory a process has had, in MiB; null where the system does not tell. */
export function peakMemoryMb(pid: number): number | null {
  if (!canFindProcesses) return null
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]
  return kilobytes === undefined ? null : Math.round(Number(kilobytes) / 1024)
}

/** The process of the edge on Node that listens on a port; undefined where it cannot be found. */
export function findEdge(port: string): number | undefined {
  if (!canFindProcesses) return undefined
  return findProcesses(`SETBLOCK_EDGE_PORT=${port}`).find((pid) => {
    const command = commandOf(pid)
    return /edge.src.node\.ts$/.test(command[1] ?? '')
  })
}
