import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

import { commandLine } from './command-line.ts'
import { machineFacts } from './machine-facts.ts'
import { measureForwards } from './measure-forwards.ts'
import type { Engine } from '../src/engine/engine.ts'
import type * as manifest from '../src/engine/manifest.ts'
import type * as engines from '../src/engine/onnx-engine.ts'

/**
 * Forwards of this checkout and of another one, each with its own bundled model, in turns in one
 * process: what a change was worth on a machine that others use as well.
 *
 * npm run bench:compare -- <other checkout> [--cached 128] [--turns 10]
 *
 * The ratios are of fastest tenths, this one's time by the other's. The last line is JSON.
 */

const { positionals, values } = commandLine(
  {
    allowPositionals: true,
    options: {
      cached: { type: 'string', default: '128' },
      turns: { type: 'string', default: '10' },
    },
  },
  'other checkout',
)
const other = positionals[0]!

const SHAPES = [
  { streams: 1, rows: 1 },
  { streams: 1, rows: 16 },
  { streams: 1, rows: 32 },
  { streams: 8, rows: 1 },
  { streams: 8, rows: 8 },
]
const SAMPLES_PER_TURN = 8

const here = resolve(import.meta.dirname, '../..')
const sides = [await openEngine(here), await openEngine(resolve(other))]
const fastest = sides.map(() => SHAPES.map(() => Infinity))
for (let turn = 0; turn < Number(values.turns); turn++) {
  for (const [side, { engine, vocabularySize }] of sides.entries()) {
    const options = { cached: Number(values.cached), samples: SAMPLES_PER_TURN, vocabularySize }
    const times = await measureForwards(engine, SHAPES, options)
    for (const [index, { fastestTenth }] of times.entries()) {
      fastest[side]![index] = Math.min(fastest[side]![index]!, fastestTenth)
    }
  }
}
await Promise.all(sides.map(({ engine }) => engine.dispose()))

const compared = SHAPES.map((shape, index) => {
  const [ms, otherMs] = [fastest[0]![index]!, fastest[1]![index]!]
  const ratio = Math.round((ms / otherMs) * 100) / 100
  process.stdout.write(`${shape.streams} x ${shape.rows}: ${ms.toFixed(3)} ms, ${ratio} of it\n`)
  return { ...shape, ms, otherMs, ratio }
})
const facts = { bench: 'compare', cached: Number(values.cached), ...machineFacts() }
process.stdout.write(`${JSON.stringify({ ...facts, compared })}\n`)

async function openEngine(checkout: string): Promise<{ engine: Engine; vocabularySize: number }> {
  const source = pathToFileURL(join(checkout, 'gpu-worker/src/engine/')).href
  const { loadModel }: typeof manifest = await import(`${source}manifest.ts`)
  const { createOnnxEngine }: typeof engines = await import(`${source}onnx-engine.ts`)
  const model = await loadModel(join(checkout, 'models/setblock-nano'), 'int8')
  const engine = await createOnnxEngine(model, { threads: 1, spinning: false, sequencesMax: 8 })
  return { engine, vocabularySize: model.manifest.architecture.vocabularySize }
}
