/**
 * Prints unpicked samples of the bundled model as Markdown: the first held-out row of each task, greedy, and ten stories,
 * each with its own seed.
 *
 *   npm run eval:samples > models/setblock-nano/samples.md
 */
import type { Decoding } from '@setblock/shared'
import { openModel } from './decode.ts'
import { bundledModel } from './provenance.ts'
import { readItems, STORY_PROMPTS, TASKS } from './tasks.ts'

const ANSWER_TOKENS_MAX = 200
const STORY_TOKENS = 150
const TEMPERATURE = 0.7
const GAMMAS = [0.1, 0.35, 1.5]
const MORE_PROMPTS = [
  'Write a story about dragon, castle.',
  'Tell me a story about teacher, book.',
  'Write a short story with snow, mouse.',
  'Tell me a story.',
]

const model = await openModel(bundledModel, { threads: 0 })
const { defaults } = model.manifest
const ntp: Decoding = { ...defaults, mode: 'ntp' }
const verified: Decoding = { ...defaults, mode: 'verified' }
const sbd = (gamma: number): Decoding => ({ ...defaults, mode: 'sbd', gamma })

function print(title: string, prompt: string, answers: Record<string, string>): void {
  const quoted = (text: string): string => text.replaceAll('\n', '\n> ')
  process.stdout.write(`## ${title}\n\n\`${prompt.replaceAll('\n', ' ⏎ ')}\`\n`)
  for (const [name, text] of Object.entries(answers)) {
    process.stdout.write(`\n*${name}*\n\n> ${quoted(text)}\n`)
  }
  process.stdout.write('\n')
}

process.stdout.write(
  `# Samples of ${model.manifest.name}\n\nNot picked: the first held-out row of each task (greedy), and ten stories of at most ${STORY_TOKENS} tokens ` +
    `at temperature ${TEMPERATURE}, the seed of story n is n. Printed by \`npm run eval:samples\`.\n\n`,
)
for (const task of TASKS) {
  const [item] = await readItems(task, 1)
  if (item === undefined) continue
  const { text } = await model.decode(item.prompt, verified, ANSWER_TOKENS_MAX)
  print(`[${task}]`, item.prompt, { wanted: item.answer ?? '', 'verified (as ntp)': text })
}
for (const [index, prompt] of [...STORY_PROMPTS, ...MORE_PROMPTS].entries()) {
  const sampling = { temperature: TEMPERATURE, topP: 1, topK: 0, seed: index + 1 }
  const settings = { ntp, ...Object.fromEntries(GAMMAS.map((g) => [`sbd, γ ${g}`, sbd(g)])) }
  const answers: Record<string, string> = {}
  for (const [name, decoding] of Object.entries(settings)) {
    answers[name] = (await model.decode(prompt, decoding, STORY_TOKENS, sampling)).text
  }
  print(`Story ${index + 1}`, prompt, answers)
}
await model.close()
