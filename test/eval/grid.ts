/**
 * The grid: every mode, rule, block length and bound on the held-out tasks and on stories, in pieces.
 *
 *   npm run eval:grid -- [--rows 50] [--tasks snips,stories] [--rules strict] [--model <folder>] [--control <folder>]
 *
 * Each piece (a task, or the stories) is written to <model>/eval/<task>.json, so that a run may be cut and gone on with;
 * rules that an earlier run measured on the same rows are kept. Then a table (README.md), grid.json and two plots are
 * made of all pieces there. Differences are against `ntp` of --control, which is the model itself unless given. The last
 * line is JSON.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { commandLine } from '../../gpu-worker/bench/command-line.ts'
import { ruleSchema, type Rule } from '@setblock/shared'
import { openModel, type EvalModel } from './decode.ts'
import { measureTask, type Part } from './grid/measure.ts'
import { accuracyPlot, booleans, linesOf, storyTable, table, timePlot } from './grid/report.ts'
import { createScorer } from './grid/scorer.ts'
import { gridSettings, RULES } from './grid/settings.ts'
import { measureStories, type StoryMeasured } from './grid/stories.ts'
import { bundledModel, provenance } from './provenance.ts'
import { readItems, TASKS, type Task } from './tasks.ts'

const STORIES = 'stories'

const { values } = commandLine({
  options: {
    rows: { type: 'string', default: '50' },
    tasks: { type: 'string', default: [...TASKS, STORIES].join(',') },
    rules: { type: 'string', default: RULES.join(',') },
    model: { type: 'string', default: bundledModel },
    control: { type: 'string' },
  },
})
const rows = Number(values.rows)
const folder = path.join(values.model, 'eval')
const settings = gridSettings(values.rules.split(',').map((rule): Rule => ruleSchema.parse(rule)))

interface Piece<Measured> {
  readonly rows: number
  readonly commit: string | null
  readonly machine: string
  readonly settings: Record<string, Measured>
}

async function readPiece<Measured>(
  from: string,
  name: string,
): Promise<Piece<Measured> | undefined> {
  try {
    return JSON.parse(await readFile(path.join(from, `${name}.json`), 'utf8')) as Piece<Measured>
  } catch {
    return undefined // not measured yet
  }
}

/** Adds to what an earlier run measured on the same rows. */
async function writePiece<Measured>(
  name: string,
  count: number,
  measured: Record<string, Measured>,
): Promise<void> {
  const before = await readPiece<Measured>(folder, name)
  const kept = before?.rows === count ? before.settings : {}
  const piece = { rows: count, ...provenance(), settings: { ...kept, ...measured } }
  await writeFile(path.join(folder, `${name}.json`), `${JSON.stringify(piece)}\n`)
  process.stdout.write(`${name}: ${Object.keys(measured).length} settings\n`)
}

async function measure(model: EvalModel, name: string): Promise<void> {
  if (name === STORIES) {
    const scorer = await createScorer(values.model)
    await writePiece(name, 0, await measureStories(model, scorer, settings))
    return scorer.close()
  }
  const items = await readItems(name as Task, rows)
  await writePiece(name, items.length, await measureTask(model, items, settings))
}

/** Pieces of the same number of rows that both the model and its control have. */
async function report(): Promise<Record<string, unknown>> {
  const controlFolder = values.control ? path.join(values.control, 'eval') : folder
  const parts: Part[] = []
  const control: boolean[] = []
  const tasks: string[] = []
  for (const task of TASKS) {
    const piece = await readPiece<Part[string]>(folder, task)
    const other = await readPiece<Part[string]>(controlFolder, task)
    if (piece?.rows !== rows || other?.rows !== rows) continue
    parts.push(piece.settings)
    control.push(...booleans(other.settings['ntp']?.right ?? ''))
    tasks.push(task)
  }
  if (parts.length === 0) return { tasks }
  const lines = linesOf(parts, control)
  const stories = (await readPiece<StoryMeasured>(folder, STORIES))?.settings ?? {}
  const controlAccuracy = control.filter(Boolean).length / control.length
  const files = {
    'README.md': readme(tasks, table(lines), storyTable(stories)),
    'grid.json': `${JSON.stringify({ rows, tasks, ...provenance(), lines, stories }, null, 1)}\n`,
    'accuracy-forwards.svg': accuracyPlot(lines, controlAccuracy),
    'wall-gamma.svg': timePlot(lines),
  }
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(folder, name), text)
  return { tasks, controlAccuracy, lines: lines.length }
}

function readme(tasks: readonly string[], answers: string, stories: string): string {
  const { commit, machine } = provenance()
  const control = values.control ? path.basename(values.control) : 'the model itself'
  return `# The grid

\`npm run eval:grid -- --rows ${rows}\`, commit ${commit}, ${machine}. ${rows} held-out rows of each of ${tasks.join(', ')}. Control: \`ntp\` of ${control}; intervals by paired
bootstrap over rows. Wall times were taken on a machine that did other work: compare forwards.

![accuracy against forwards](accuracy-forwards.svg)
![wall time against γ](wall-gamma.svg)

## Tasks

${answers}

## Stories

Perplexity of the generated text under the causal reading of the same model; distinct-n: different n-grams of words over all n-grams of a text.

${stories}
`
}

await mkdir(folder, { recursive: true })
const model = await openModel(values.model, { threads: 0 })
for (const name of values.tasks.split(',')) await measure(model, name)
await model.close()
process.stdout.write(`${JSON.stringify(await report())}\n`)
