import { readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readMetrics, residentMb, type WatchedProcess } from './process-memory.ts'

const PRELOAD = path.join(import.meta.dirname, 'live-memory-preload.cjs')
const POLL_MS = 100
const ANSWER_MS_MAX = 60_000
const MEGABYTE = 1024 * 1024

/** Options of Node and the environment under which a service tells what it holds when it is asked. */
export const tellsLive = (file: string) => ({
  nodeArgs: ['--expose-gc', '--require', PRELOAD],
  env: { SETBLOCK_TEST_LIVE_FILE: file },
})

/** What the objects of a process take once its garbage is gone, all of its threads together. */
export interface LiveMemory {
  readonly minute: number
  readonly heapMb: number
  readonly externalMb: number
  /** What the system counts then: with native memory, and what V8 has not given back. */
  readonly residentMb: number
}

interface Line {
  readonly heapBytes: number
  readonly externalBytes: number
}

/** Has a process collect its garbage. @throws Error if not all of its threads have answered in a minute. */
export async function liveMemory(
  { name, pid, metricsUrl, liveFile }: WatchedProcess & { readonly liveFile: string },
  minute: number,
): Promise<LiveMemory> {
  const engines = (await readMetrics(metricsUrl))('setblock_engine_heap_bytes').length
  const before = readLines(liveFile).length
  process.kill(pid, 'SIGUSR2')
  for (let waitedMs = 0; waitedMs < ANSWER_MS_MAX; waitedMs += POLL_MS) {
    await sleep(POLL_MS)
    const threads = readLines(liveFile).slice(before)
    if (threads.length <= engines) continue
    const sum = (read: (line: Line) => number): number =>
      threads.reduce((total, line) => total + read(line), 0) / MEGABYTE
    const heapMb = sum(({ heapBytes }) => heapBytes)
    const externalMb = sum(({ externalBytes }) => externalBytes)
    return { minute, heapMb, externalMb, residentMb: residentMb(pid) }
  }
  throw new Error(`${name} does not tell what it holds`)
}

function readLines(file: string): Line[] {
  try {
    const lines = readFileSync(file, 'utf8').split('\n')
    return lines.slice(0, -1).map((line) => JSON.parse(line) as Line)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

const tenth = (megabytes: number): number => Math.round(megabytes * 10) / 10

/** How what a process holds has changed between two moments of a run. */
export function describeLive(from: LiveMemory, to: LiveMemory, requests: number) {
  const heapGrowthMb = to.heapMb - from.heapMb
  const minutes = to.minute - from.minute
  return {
    minutes: [tenth(from.minute), tenth(to.minute)],
    heapMb: [tenth(from.heapMb), tenth(to.heapMb)],
    externalMb: [tenth(from.externalMb), tenth(to.externalMb)],
    residentMb: [tenth(from.residentMb), tenth(to.residentMb)],
    heapSlopeMbPerMinute: Number((heapGrowthMb / minutes).toFixed(3)),
    residentSlopeMbPerMinute: Number(((to.residentMb - from.residentMb) / minutes).toFixed(3)),
    heapBytesPerRequest: Math.round((heapGrowthMb * MEGABYTE) / requests),
  }
}
