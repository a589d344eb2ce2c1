import { readFileSync } from 'node:fs'

const MEGABYTE = 1024 * 1024
const QUARTERS = 4

/** Megabytes of a process at a moment of a run. */
export interface MemorySample {
  readonly minute: number
  /** What the system counts: heaps, native memory, mapped files that were touched. */
  readonly residentMb: number
}

/** With what each thread's own engine says; garbage that has not been collected is in it. */
export interface NodeMemorySample extends MemorySample {
  /** Of the main thread. */
  readonly heapMb: number
  readonly externalMb: number
  /** Of all engine threads; 0 where there are none. */
  readonly engineHeapMb: number
  readonly engineExternalMb: number
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

/** All values of a metric, whatever its labels. */
export type ReadMetric = (name: string) => number[]

export async function readMetrics(url: string): Promise<ReadMetric> {
  const text = await (await fetch(url)).text()
  return (name) => {
    const lines = text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))
    return [...lines].map(([, value]) => Number(value))
  }
}

/** The same, and what its metrics say. */
export async function nodeMemory(
  { pid, metricsUrl }: WatchedProcess,
  minute: number,
): Promise<NodeMemorySample> {
  const read = await readMetrics(metricsUrl)
  const readMb = (name: string): number =>
    read(name).reduce((sum, value) => sum + value, 0) / MEGABYTE
  return {
    minute,
    residentMb: residentMb(pid),
    heapMb: readMb('nodejs_heap_size_used_bytes'),
    externalMb: readMb('nodejs_external_memory_bytes'),
    engineHeapMb: readMb('setblock_engine_heap_bytes'),
    engineExternalMb: readMb('setblock_engine_external_bytes'),
  }
}

interface Line {
  readonly slope: number
  /** Root of the mean square by which the samples are off the line. */
  readonly noise: number
}

/** The least-squares line through something that was sampled; its slope is by the minute. */
export function fitLine<Sample extends { readonly minute: number }>(
  samples: readonly Sample[],
  read: (sample: Sample) => number,
): Line {
  const mean = (of: (each: Sample) => number): number =>
    samples.reduce((sum, each) => sum + of(each), 0) / samples.length
  const [minute, value] = [mean((each) => each.minute), mean(read)]
  const covariance = mean((each) => (each.minute - minute) * (read(each) - value))
  const slope = covariance / mean((each) => (each.minute - minute) ** 2)
  const off = (each: Sample): number => read(each) - value - slope * (each.minute - minute)
  return { slope, noise: Math.sqrt(mean((each) => off(each) ** 2)) }
}

/**
 * What became of a process's memory: megabytes at most, megabytes a minute, and what the system counted at least and at
 * most in each quarter: heaps fill until they are collected, so only lows and highs that both rise tell of a leak.
 */
export function describeMemory(samples: readonly NodeMemorySample[]) {
  const late = samples.slice(samples.length >> 1)
  const slope = (
    of: readonly NodeMemorySample[],
    read: (sample: NodeMemorySample) => number,
  ): number => Number(fitLine(of, read).slope.toFixed(3))
  const most = (read: (sample: NodeMemorySample) => number): number =>
    Math.round(Math.max(...samples.map(read)))
  const resident = ({ residentMb: megabytes }: NodeMemorySample): number => megabytes
  return {
    residentMbMax: most(resident),
    heapMbMax: most((each) => each.heapMb),
    externalMbMax: most((each) => each.externalMb),
    engineHeapMbMax: most((each) => each.engineHeapMb),
    engineExternalMbMax: most((each) => each.engineExternalMb),
    residentMbByQuarter: quarters(samples).map((each) => {
      const megabytes = each.map(resident)
      return [Math.round(Math.min(...megabytes)), Math.round(Math.max(...megabytes))]
    }),
    slopeMbPerMinute: {
      wholeRun: slope(samples, resident),
      secondHalf: slope(late, resident),
      secondHalfHeap: slope(late, (each) => each.heapMb),
      secondHalfExternal: slope(late, (each) => each.externalMb),
      secondHalfEngineHeap: slope(late, (each) => each.engineHeapMb),
      secondHalfEngineExternal: slope(late, (each) => each.engineExternalMb),
    },
    secondHalfNoiseMb: Number(fitLine(late, resident).noise.toFixed(1)),
  }
}

/** Four parts of the samples, in order; those that would be empty are left out. */
function quarters<Sample>(samples: readonly Sample[]): Sample[][] {
  const size = Math.ceil(samples.length / QUARTERS)
  return Array.from({ length: QUARTERS }, (_, index) =>
    samples.slice(index * size, (index + 1) * size),
  ).filter(({ length }) => length > 0)
}
