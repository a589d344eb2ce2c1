import { availableParallelism } from 'node:os'
import { chooseThreads } from '../../gpu-worker/src/engine/choose-threads.ts'
import type { Engine, SequenceRows } from '../../gpu-worker/src/engine/engine.ts'
import { loadModel, weightBytes } from '../../gpu-worker/src/engine/manifest.ts'
import { createOnnxEngine } from '../../gpu-worker/src/engine/onnx-engine.ts'
import type { RowTimes } from './cost-model.ts'
import { median } from './statistics.ts'

/** Timed forwards of one row count in a turn. */
const TIMED = 5

/** Untimed forwards before them, at most: after a wider forward it takes some until times have come down again. */
const UNTIMED = { forwards: 8, ms: 40 } as const

/** Prompt rows of one forward while the cache is filled. */
const CHUNK_ROWS = 256

export interface RowTimesOptions {
  /** Positions cached before the rows, per context. */
  readonly cached: readonly number[]
  readonly rowCounts: readonly number[]
  readonly rounds: number
  /** Whether every row brings its entropy along, as sbd wants it. Absent: ids only, as ntp and verified do. */
  readonly entropies?: boolean
}

/**
 * t(rows) of the engine alone, in this process and with the threads that the worker would take: causal rows, all of
 * them read. Contexts and row counts take turns within a round; medians over rounds.
 */
export async function measureRowTimes(
  modelFolder: string,
  { cached, rowCounts, rounds, entropies = false }: RowTimesOptions,
): Promise<Map<number, RowTimes>> {
  const model = await loadModel(modelFolder, 'int8')
  const threads = chooseThreads({
    graphBytes: weightBytes(model),
    cores: availableParallelism(),
    engines: 0,
  })
  const options = { ...threads, spinning: false, sequencesMax: cached.length }
  const engine = await createOnnxEngine(model, options)
  const { vocabularySize } = model.manifest.architecture
  const times = await timeRows(engine, vocabularySize, { cached, rowCounts, rounds, entropies })
  await engine.dispose()
  return times
}

/** The same of an engine that is open, with as many free sequences as contexts. */
export async function timeRows(
  engine: Engine,
  vocabularySize: number,
  { cached, rowCounts, rounds, entropies = false }: RowTimesOptions,
): Promise<Map<number, RowTimes>> {
  const wanted = entropies ? 'all' : 'none'
  const rowsOf = (sequence: number, count: number): SequenceRows => {
    const tail = Array.from({ length: count }, (_, i) => (i * 37 + 11) % vocabularySize)
    return { sequence, tail, groups: [], readTail: count, entropies: wanted, top: 'none' }
  }
  const sequences = new Map<number, number>()
  for (const positions of cached) {
    const sequence = engine.open()
    sequences.set(positions, sequence)
    while (engine.cachedLength(sequence) < positions) {
      const rows = Math.min(CHUNK_ROWS, positions - engine.cachedLength(sequence))
      await engine.forward([{ ...rowsOf(sequence, rows), readTail: 0 }])
      engine.commit(sequence, rows)
    }
  }
  const samples = new Map(
    cached.map((c) => [c, new Map(rowCounts.map((r) => [r, [] as number[]]))]),
  )
  for (let round = -1; round < rounds; round++) {
    for (const [positions, sequence] of sequences) {
      for (const count of rowCounts) {
        const rows = rowsOf(sequence, count)
        const samplesMs = await burst(() => engine.forward([rows]))
        if (round >= 0)
          samples
            .get(positions)
            ?.get(count)
            ?.push(...samplesMs)
      }
    }
  }
  for (const sequence of sequences.values()) engine.close(sequence)
  return new Map(
    [...samples].map(([positions, byRows]) => [
      positions,
      new Map([...byRows].map(([rows, times]) => [rows, median(times)])),
    ]),
  )
}

async function burst(forward: () => Promise<unknown>): Promise<number[]> {
  const beginMs = performance.now()
  for (let i = 0; i < UNTIMED.forwards; i++) {
    if (performance.now() - beginMs > UNTIMED.ms) break
    await forward()
  }
  const samplesMs: number[] = []
  for (let i = 0; i < TIMED; i++) {
    const startMs = performance.now()
    await forward()
    samplesMs.push(performance.now() - startMs)
  }
  return samplesMs
}
