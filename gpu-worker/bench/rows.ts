import { parseArgs } from 'node:util'

import { loadModel } from '../src/engine/manifest.ts'
import { createOnnxEngine } from '../src/engine/onnx-engine.ts'
import type { SequenceRows } from '../src/engine/engine.ts'

/**
 * t(rows): milliseconds of one forward by its number of rows, behind `cached` positions.
 *
 * npm run bench:rows -- <model folder> [--precision int8] [--threads 1] [--cached 128]
 *
 * The row counts take turns within a round, so that a busy machine slows all of them alike; medians
 * over the rounds. The last line is JSON.
 */

const ROW_COUNTS = [1, 16, 32, 48]

/** Timed forwards of one row count in a turn, after one untimed: decoding repeats a shape, too. */
const BURST = 4

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    precision: { type: 'string', default: 'int8' },
    threads: { type: 'string', default: '1' },
    cached: { type: 'string', default: '128' },
    runs: { type: 'string', default: '30' },
    spinning: { type: 'boolean', default: false },
  },
})
const folder = positionals[0]
if (folder === undefined || (values.precision !== 'int8' && values.precision !== 'fp32')) {
  throw new Error('usage: rows.ts <model folder> [--precision int8|fp32] [--threads n]')
}
const [threads, cached, runs] = [Number(values.threads), Number(values.cached), Number(values.runs)]

const model = await loadModel(folder, values.precision)
const { spinning } = values
const engine = await createOnnxEngine(model, { threads, spinning, sequencesMax: 1 })
const sequence = engine.open()
const { vocabularySize } = model.manifest.architecture
const token = (i: number) => (i * 37 + 11) % vocabularySize
await engine.forward([rowsOf(cached)])
engine.commit(sequence, cached)

const times = new Map<number, number[]>(ROW_COUNTS.map((count) => [count, []]))
for (let run = -2; run < runs; run++) {
  for (const count of ROW_COUNTS) {
    const rows = rowsOf(count)
    for (let i = 0; i <= BURST; i++) {
      const start = performance.now()
      await engine.forward([rows])
      if (run >= 0 && i > 0) times.get(count)!.push(performance.now() - start)
    }
  }
}
await engine.dispose()

const medians = Object.fromEntries(ROW_COUNTS.map((count) => [count, median(times.get(count)!)]))
for (const [count, ms] of Object.entries(medians)) {
  process.stdout.write(`${count.padStart(4)} rows ${ms.toFixed(3)} ms\n`)
}
const facts = { model: model.manifest.id, precision: values.precision, threads, cached, runs }
process.stdout.write(`${JSON.stringify({ ...facts, medianMs: medians })}\n`)

/** All of them causal and read, ids only: what verified decoding asks for. */
function rowsOf(count: number): SequenceRows {
  const tail = Array.from({ length: count }, (_, i) => token(i))
  return { sequence, tail, groups: [], readTail: count, entropies: false, top: 'none' }
}

function median(samples: readonly number[]): number {
  const ordered = [...samples].sort((a, b) => a - b)
  return ordered[Math.floor(ordered.length / 2)] ?? NaN
}
