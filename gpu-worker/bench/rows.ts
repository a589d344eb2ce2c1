import { commandLine, leave } from './command-line.ts'
import { machineFacts } from './machine-facts.ts'
import { measureForwards } from './measure-forwards.ts'
import { loadModel } from '../src/engine/manifest.ts'
import type { LoadedModel } from '../src/engine/manifest.ts'
import { createOnnxEngine } from '../src/engine/onnx-engine.ts'
import { buildModel } from '../src/model-builder/build-model.ts'
import { writeRandomCheckpoint } from '../src/testing/random-checkpoint.ts'

/**
 * Milliseconds of one forward by its rows, its streams and the positions cached before it.
 *
 * npm run bench:rows -- <model folder> [--rows 1,16,32,64] [--streams 1,8] [--cached 128,448]
 *   [--threads 1] [--spinning] [--samples 40] [--precision int8] [--context 4224]
 *
 * --rows are the rows of each stream. --context: random weights (seed 1) of the model's shape with
 * a context of that length, to time what the model itself has no room for. Medians, and the fastest
 * tenth, which a busy machine disturbs less. The last line is JSON.
 */

const { positionals, values } = commandLine(
  {
    allowPositionals: true,
    options: {
      precision: { type: 'string', default: 'int8' },
      rows: { type: 'string', default: '1,8,16,32,64' },
      streams: { type: 'string', default: '1' },
      cached: { type: 'string', default: '448' },
      context: { type: 'string' },
      threads: { type: 'string', default: '1' },
      samples: { type: 'string', default: '40' },
      spinning: { type: 'boolean', default: false },
    },
  },
  'model folder',
)
const folder = positionals[0]!
const { precision, spinning } = values
if (precision !== 'int8' && precision !== 'fp32') leave('--precision: int8 or fp32', 1)
const list = (text: string): number[] => text.split(',').map(Number)
const [threads, samples] = [Number(values.threads), Number(values.samples)]
const streamCounts = list(values.streams)

const bundled = await loadModel(folder, precision)
const model =
  values.context === undefined ? bundled : await randomLike(bundled, values.context, precision)
const sequencesMax = Math.max(...streamCounts)
const engine = await createOnnxEngine(model, { threads, spinning, sequencesMax })
const { vocabularySize } = model.manifest.architecture
const shapes = streamCounts.flatMap((streams) =>
  list(values.rows).map((rows) => ({ streams, rows })),
)
const measured: Record<string, number>[] = []
for (const cached of list(values.cached)) {
  const times = await measureForwards(engine, shapes, { cached, samples, vocabularySize })
  for (const [index, { streams, rows }] of shapes.entries()) {
    const { median, fastestTenth } = times[index]!
    measured.push({ cached, streams, rows, medianMs: round(median), fastMs: round(fastestTenth) })
  }
}
await engine.dispose()

process.stdout.write('cached streams rows   median  fastest tenth (ms)\n')
for (const { cached, streams, rows, medianMs, fastMs } of measured) {
  const cells = [String(cached).padStart(6), String(streams).padStart(7), String(rows).padStart(4)]
  const times = [medianMs!.toFixed(3).padStart(8), fastMs!.toFixed(3).padStart(8)]
  process.stdout.write(`${[...cells, ...times].join(' ')}\n`)
}
const facts = { model: model.manifest.id, precision, threads, spinning, samples }
const forwards = { bench: 'rows', ...facts, ...machineFacts(), forwards: measured }
process.stdout.write(`${JSON.stringify(forwards)}\n`)

async function randomLike(
  like: LoadedModel,
  context: string,
  form: 'int8' | 'fp32',
): Promise<LoadedModel> {
  const { architecture } = like.manifest
  const shape = { ...architecture, tied: architecture.tiedEmbeddings }
  const contextLength = Number(context)
  const random = await writeRandomCheckpoint({ ...shape, contextLength, seed: 1 })
  try {
    await buildModel({ folder: random.folder, targets: [form === 'int8' ? 'cpu-int8' : form] })
    return await loadModel(random.folder, form)
  } finally {
    await random.remove()
  }
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
