import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import * as z from 'zod'

import { commandLine } from './command-line.ts'
import { machineFacts } from './machine-facts.ts'
import { measureForwards } from './measure-forwards.ts'
import { loadModel } from '../src/engine/manifest.ts'
import { createOnnxEngine } from '../src/engine/onnx-engine.ts'

/**
 * Microseconds of one forward by operator, from the runtime's own profiler, which adds a microsecond
 * or two to each node.
 *
 * npm run bench:profile -- <model folder> [--rows 1,16,32] [--cached 448] [--threads 1]
 *
 * The last line is JSON.
 */

const { positionals, values } = commandLine(
  {
    allowPositionals: true,
    options: {
      rows: { type: 'string', default: '1,16,32' },
      cached: { type: 'string', default: '448' },
      threads: { type: 'string', default: '1' },
    },
  },
  'model folder',
)
const folder = positionals[0]!

const SAMPLES = 40

const eventsSchema = z.array(
  z.object({
    cat: z.string(),
    name: z.string(),
    dur: z.number(),
    args: z.object({ op_name: z.string().optional() }).optional(),
  }),
)

const model = await loadModel(folder, 'int8')
const columns = values.rows.split(',').map(Number)
const byRows = new Map<number, Map<string, { nodes: number; us: number }>>()
for (const rows of columns) byRows.set(rows, await profile(rows))

const operators = [...new Set([...byRows.values()].flatMap((column) => [...column.keys()]))]
const last = byRows.get(columns.at(-1)!)!
operators.sort((a, b) => (last.get(b)?.us ?? 0) - (last.get(a)?.us ?? 0))
process.stdout.write(
  `${'operator'.padEnd(24)} nodes ${columns.map((r) => `${r} rows`).join('  ')}\n`,
)
for (const operator of operators) {
  const cells = columns.map((rows) =>
    (byRows.get(rows)!.get(operator)?.us ?? 0).toFixed(0).padStart(6),
  )
  const nodes = String(last.get(operator)?.nodes ?? 0).padStart(5)
  process.stdout.write(`${operator.padEnd(24)} ${nodes} ${cells.join('  ')}\n`)
}
const us = Object.fromEntries(
  columns.map((rows) => [
    rows,
    Object.fromEntries([...byRows.get(rows)!].map(([operator, { us: time }]) => [operator, time])),
  ]),
)
const facts = { model: model.manifest.id, cached: Number(values.cached), ...machineFacts() }
process.stdout.write(`${JSON.stringify({ bench: 'profile', ...facts, microseconds: us })}\n`)

/** Per operator: its nodes, and the sum of their median times. */
async function profile(rows: number): Promise<Map<string, { nodes: number; us: number }>> {
  const target = await mkdtemp(join(tmpdir(), 'setblock-profile-'))
  try {
    const options = { threads: Number(values.threads), spinning: false, sequencesMax: 1 }
    const engine = await createOnnxEngine(model, { ...options, profilePrefix: join(target, 'run') })
    const { vocabularySize } = model.manifest.architecture
    const measure = { cached: Number(values.cached), samples: SAMPLES, vocabularySize }
    await measureForwards(engine, [{ streams: 1, rows }], measure)
    await engine.dispose()
    const [file] = await readdir(target)
    return sumByOperator(JSON.parse(await readFile(join(target, file!), 'utf8')))
  } finally {
    await rm(target, { recursive: true })
  }
}

function sumByOperator(json: unknown): Map<string, { nodes: number; us: number }> {
  const byNode = new Map<string, { operator: string; times: number[] }>()
  for (const { cat, name, dur, args } of eventsSchema.parse(json)) {
    if (cat !== 'Node' || !name.endsWith('_kernel_time')) continue
    const node = byNode.get(name) ?? { operator: args?.op_name ?? '', times: [] }
    node.times.push(dur)
    byNode.set(name, node)
  }
  const sums = new Map<string, { nodes: number; us: number }>()
  for (const { operator, times } of byNode.values()) {
    const ordered = times.slice(-SAMPLES).sort((a, b) => a - b) // the forwards that were timed
    const sum = sums.get(operator) ?? { nodes: 0, us: 0 }
    sum.nodes += 1
    sum.us += ordered[Math.floor(ordered.length / 2)]!
    sums.set(operator, sum)
  }
  return sums
}
