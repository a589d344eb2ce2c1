/** Prints unpicked samples of the bundled model as Markdown, for its model card: the first held-out row of each task. */
import type { Decoding } from '@setblock/shared'
import { openModel } from './decode.ts'
import { bundledModel } from './provenance.ts'
import { readItems, STORY_PROMPTS, TASKS } from './tasks.ts'

const model = await openModel(bundledModel, { threads: 0 })
const { defaults } = model.manifest
const verified: Decoding = { ...defaults, mode: 'verified' }
const sbd = (gamma: number): Decoding => ({ ...defaults, mode: 'sbd', gamma })

function print(title: string, prompt: string, answers: Record<string, string>): void {
  const quoted = (text: string): string => text.replaceAll('\n', '\n> ')
  process.stdout.write(`### ${title}\n\n\`${prompt.replaceAll('\n', ' ⏎ ')}\`\n`)
  for (const [name, text] of Object.entries(answers)) {
    process.stdout.write(`\n*${name}*\n\n> ${quoted(text)}\n`)
  }
  process.stdout.write('\n')
}

for (const task of TASKS) {
  const [item] = await readItems(task, 1)
  if (item === undefined) continue
  const { text } = await model.decode(item.prompt, verified, 200)
  print(`[${task}]`, item.prompt, { wanted: item.answer ?? '', 'verified (as ntp)': text })
}
for (const prompt of STORY_PROMPTS.slice(0, 3)) {
  const answers: Record<string, string> = {}
  for (const [name, decoding] of [
    ['verified (as ntp)', verified],
    ['sbd, γ 0.1', sbd(0.1)],
    ['sbd, γ 1.5', sbd(1.5)],
  ] as const) {
    answers[name] = (await model.decode(prompt, decoding, 150)).text
  }
  print('Story', prompt, answers)
}
await model.close()
