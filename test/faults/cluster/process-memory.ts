import { readFileSync } from 'node:fs'

const MEGABYTE = 1024 * 1024

/** Megabytes of a process at a moment of a run. */
export interface MemorySample {
  readonly minute: number
  /** What the system counts: heaps, native memory, mapped files that were touched. */
  readonly residentMb: number
}

/** With what the main thread's own engine says. */
export interface NodeMemorySample extends MemorySample {
  readonly heapMb: number
  readonly externalMb: number
}

/** A Node process that gives metrics. */
export interface WatchedProcess {
  readonly name: string
  readonly pid: number
  readonly metricsUrl: string
}

/** Megabytes that a process has in memory. Linux only. */
export function residentMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024
}

/** The same, and what its metrics say. */
export async function nodeMemory(
  { pid, metricsUrl }: WatchedProcess,
  minute: number,
): Promise<NodeMemorySample> {
  const text = await (await fetch(metricsUrl)).text()
  const readMb = (name: string): number =>
    Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]) / MEGABYTE
  return {
    minute,
    residentMb: residentMb(pid),
    heapMb: readMb('nodejs_heap_size_used_bytes'),
    externalMb: readMb('nodejs_external_memory_bytes'),
  }
}

/** Least-squares slope of something that was sampled, a minute. */
export function slopePerMinute<Sample extends { readonly minute: number }>(
  samples: readonly Sample[],
  read: (sample: Sample) => number,
): number {
  const mean = (of: (each: Sample) => number): number =>
    samples.reduce((sum, each) => sum + of(each), 0) / samples.length
  const [minute, value] = [mean((each) => each.minute), mean(read)]
  const covariance = mean((each) => (each.minute - minute) * (read(each) - value))
  return covariance / mean((each) => (each.minute - minute) ** 2)
}

/** What became of a process's memory: megabytes at most, and megabytes a minute. */
export function describeMemory(samples: readonly NodeMemorySample[]) {
  const late = samples.slice(samples.length >> 1)
  const slope = (
    of: readonly NodeMemorySample[],
    read: (sample: NodeMemorySample) => number,
  ): number => Number(slopePerMinute(of, read).toFixed(3))
  const most = (read: (sample: NodeMemorySample) => number): number =>
    Math.round(Math.max(...samples.map(read)))
  return {
    residentMbMax: most((each) => each.residentMb),
    heapMbMax: most((each) => each.heapMb),
    externalMbMax: most((each) => each.externalMb),
    slopeMbPerMinute: {
      wholeRun: slope(samples, (each) => each.residentMb),
      secondHalf: slope(late, (each) => each.residentMb),
      secondHalfHeap: slope(late, (each) => each.heapMb),
      secondHalfExternal: slope(late, (each) => each.externalMb),
    },
  }
}
