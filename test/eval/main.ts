/**
 * Decodes the held-out tasks with the bundled model in every mode and reports accuracy, tokens per forward and time.
 *
 *   npm run eval -- [--rows 50] [--model models/setblock-nano] [--threads 1] [--block 8] [--rule strict]
 *     [--control <folder>]
 *
 * Block length and rule are the model's own unless given, threads what the worker would take. Every prompt is decoded
 * by all settings in turn, so that times are paired. All are compared with `ntp`: that of the model itself, or that of
 * --control, another model such as its next-token twin; differences are 95 % intervals. The last line is JSON.
 */
import { commandLine } from '../../gpu-worker/bench/command-line.ts'
import type { Decoding } from '@setblock/shared'
import { openModel, type Decoded, type EvalModel } from './decode.ts'
import { bundledModel, provenance } from './provenance.ts'
import { summarise, type Outcome, type Summary } from './summary.ts'
import { readItems, STORY_PROMPTS, TASKS, type Item } from './tasks.ts'

const GAMMAS = [0.01, 0.1, 0.35]
const ANSWER_TOKENS_MAX = 200
const STORY_TOKENS = 150

const { values } = commandLine({
  options: {
    rows: { type: 'string', default: '50' },
    model: { type: 'string', default: bundledModel },
    threads: { type: 'string', default: '0' },
    rule: { type: 'string' },
    block: { type: 'string' },
    control: { type: 'string' },
  },
})
const BASELINE = values.control === undefined ? 'ntp' : 'control'

interface Setting {
  readonly name: string
  readonly decoding: Decoding
}

function settings({ manifest }: EvalModel): Setting[] {
  const { defaults } = manifest
  const rule = (values.rule as Decoding['rule'] | undefined) ?? defaults.rule
  const base = { ...defaults, rule, blockLength: Number(values.block ?? defaults.blockLength) }
  return [
    { name: 'ntp', decoding: { ...base, mode: 'ntp' } },
    { name: 'verified', decoding: { ...base, mode: 'verified' } },
    ...GAMMAS.map((gamma) => ({
      name: `sbd ${gamma}`,
      decoding: { ...base, mode: 'sbd' as const, gamma },
    })),
  ]
}

interface Contenders {
  readonly model: EvalModel
  /** Its `ntp` is what all is compared with. */
  readonly control: EvalModel | undefined
}

interface ContenderSetting extends Setting {
  readonly by: EvalModel
}

/** The first is the baseline of the others. */
function contenderSettings({ model, control }: Contenders): ContenderSetting[] {
  const own = settings(model).map((setting) => ({ ...setting, by: model }))
  if (control === undefined) return own
  return [{ name: BASELINE, decoding: { ...own[0]!.decoding, mode: 'ntp' }, by: control }, ...own]
}

async function measure(
  contenders: Contenders,
  items: readonly Item[],
): Promise<Map<string, Outcome[]>> {
  const chosen = contenderSettings(contenders)
  const outcomes = new Map<string, Outcome[]>(chosen.map(({ name }) => [name, []]))
  for (const item of items) {
    const limit = item.answer === undefined ? STORY_TOKENS : ANSWER_TOKENS_MAX
    let baseline: Decoded | undefined
    for (const { name, decoding, by } of chosen) {
      const decoded = await by.decode(item.prompt, decoding, limit)
      baseline ??= decoded
      outcomes.get(name)?.push({ item, decoded, baseline })
    }
  }
  return outcomes
}

function percent(rate: number | null): string {
  return rate === null ? '-' : `${points(rate)} %`
}

function points(rate: number): string {
  return (100 * rate).toFixed(1)
}

function printTable(title: string, rows: ReadonlyMap<string, Summary>): void {
  const line = (...cells: (string | number)[]): string =>
    cells.map((cell, index) => String(cell)[index === 0 ? 'padEnd' : 'padStart'](12)).join(' ')
  const text = [
    `\n${title}`,
    line(
      '',
      'accuracy',
      `- ${BASELINE}`,
      'intent',
      'language',
      'JSON',
      `= ${BASELINE}`,
      'tok/forward',
      'tok/s',
      `x ${BASELINE}`,
    ),
    ...[...rows].map(([name, s]) =>
      line(
        name,
        percent(s.accuracy),
        s.difference === null ? '-' : `${points(s.difference.low)} .. ${points(s.difference.high)}`,
        ...[s.intent, s.language, s.validJson, s.identical].map(percent),
        s.tokensPerForward.toFixed(2),
        s.tokensPerSecond.toFixed(0),
        s.speedup.toFixed(2),
      ),
    ),
  ]
  process.stdout.write(`${text.join('\n')}\n`)
}

function summaries(all: ReadonlyMap<string, Outcome[]>, task?: string): Map<string, Summary> {
  return new Map(
    [...all].map(([name, outcomes]) => [
      name,
      summarise(outcomes.filter(({ item }) => task === undefined || item.task === task)),
    ]),
  )
}

async function main(): Promise<void> {
  const threads = Number(values.threads)
  const model = await openModel(values.model, { threads })
  const control =
    values.control === undefined ? undefined : await openModel(values.control, { threads })
  const contenders = { model, control }
  const tasks = await Promise.all(TASKS.map((task) => readItems(task, Number(values.rows))))
  await measure(
    contenders,
    tasks.map((items) => items[0] as Item),
  ) // warm-up, not counted
  const outcomes = await measure(contenders, tasks.flat())
  const stories = await measure(
    contenders,
    STORY_PROMPTS.map((prompt) => ({ task: 'story', prompt })),
  )
  await Promise.all([model.close(), control?.close()])

  for (const task of TASKS) printTable(task, summaries(outcomes, task))
  printTable('stories', summaries(stories))
  const total = summaries(outcomes)
  printTable('all tasks', total)
  const result = {
    ...provenance(),
    rows: Number(values.rows),
    threads,
    tasks: Object.fromEntries(
      TASKS.map((task) => [task, Object.fromEntries(summaries(outcomes, task))]),
    ),
    stories: Object.fromEntries(summaries(stories)),
    ...(control && { control: total.get(BASELINE) }),
    ntp: total.get('ntp'),
    verified: total.get('verified'),
    sbd: GAMMAS.map((gamma) => ({ gamma, ...total.get(`sbd ${gamma}`) })),
  }
  process.stdout.write(`${JSON.stringify(result)}\n`)
}

await main()
