import { readFileSync } from 'node:fs'

export interface MemorySample {
  readonly minute: number
  readonly residentMb: number
}

/** Megabytes that a process has in memory. Linux only. */
export function residentMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024
}

/** Least-squares slope of resident memory, MB a minute. */
export function slopeMbPerMinute(samples: readonly MemorySample[]): number {
  const mean = (read: (each: MemorySample) => number): number =>
    samples.reduce((sum, each) => sum + read(each), 0) / samples.length
  const [minute, resident] = [mean((each) => each.minute), mean((each) => each.residentMb)]
  const covariance = mean((each) => (each.minute - minute) * (each.residentMb - resident))
  return covariance / mean((each) => (each.minute - minute) ** 2)
}
