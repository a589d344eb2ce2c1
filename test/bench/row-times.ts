import { availableParallelism } from 'node:os'
import type { Manifest } from '@setblock/shared'
import type { MaskGroup } from '../../gpu-worker/src/decoding/rows.ts'
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
  /** Half of the rows are masks and bring their entropies along, as verified and sbd have it. Absent: causal rows alone. */
  readonly masks?: boolean
}

/**
 * t(rows) of the engine alone, in this process and with the threads that the worker would take, all rows read. Contexts
 * and row counts take turns within a round; medians over rounds.
 */
export async function measureRowTimes(
  modelFolder: string,
  { cached, rowCounts, rounds, masks = false }: RowTimesOptions,
): Promise<Map<number, RowTimes>> {
  const model = await loadModel(modelFolder, 'int8')
  const threads = chooseThreads({
    graphBytes: weightBytes(model),
    cores: availableParallelism(),
    engines: 0,
  })
  const options = { ...threads, spinning: false, sequencesMax: cached.length }
  const engine = await createOnnxEngine(model, options)
  const times = await timeRows(engine, model.manifest, { cached, rowCounts, rounds, masks })
  await engine.dispose()
  return times
}

/** The same of an engine that is open, with as many free sequences as contexts. */
export async function timeRows(
  engine: Engine,
  manifest: Manifest,
  { cached, rowCounts, rounds, masks = false }: RowTimesOptions,
): Promise<Map<number, RowTimes>> {
  const { vocabularySize } = manifest.architecture
  const causalRows = (sequence: number, count: number): SequenceRows => {
    const tail = Array.from({ length: count }, (_, i) => (i * 37 + 11) % vocabularySize)
    return { sequence, tail, groups: [], readTail: count, entropies: 'none', top: 'none' }
  }
  const rowsOf = (sequence: number, count: number): SequenceRows => {
    const groups = masks ? maskGroups(manifest, count >> 1) : []
    const tailRows = causalRows(sequence, masks ? count - (count >> 1) : count)
    return { ...tailRows, groups, entropies: groups.length > 0 ? 'groups' : 'none' }
  }
  const sequences = new Map<number, number>()
  for (const positions of cached) {
    const sequence = engine.open()
    sequences.set(positions, sequence)
    while (engine.cachedLength(sequence) < positions) {
      const rows = Math.min(CHUNK_ROWS, positions - engine.cachedLength(sequence))
      await engine.forward([{ ...causalRows(sequence, rows), readTail: 0 }])
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

/** So many masks in as few groups as may hold them. */
function maskGroups({ maskTokenId, maxBlockLength }: Manifest, count: number): MaskGroup[] {
  const groups: MaskGroup[] = []
  for (let left = count; left > 0; left -= maxBlockLength) {
    const length = Math.min(left, maxBlockLength)
    groups.push({ tokens: Array.from({ length }, () => maskTokenId), afterTail: 1 })
  }
  return groups
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
