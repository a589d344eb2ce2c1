/**
 * How well the bundled model's masked predictions hold, for the decoder's estimates (gpu-worker/src/decoding/acceptance.ts):
 * behind every token of every greedy text a block of masks is read, and compared with what plain decoding goes on to say.
 *
 *   npm run eval:drafts -- [--rows 20] [--model models/setblock-nano]
 *
 * Prints the share of tokens that hold by their place in the block, given that those before them held, and by the
 * probability that the model gave them; `exponent` is the power of that probability that fits best. The last line is JSON.
 */
import { commandLine } from '../../gpu-worker/bench/command-line.ts'
import type { Engine } from '../../gpu-worker/src/engine/engine.ts'
import { loadModel } from '../../gpu-worker/src/engine/manifest.ts'
import { createOnnxEngine } from '../../gpu-worker/src/engine/onnx-engine.ts'
import { loadTokenizer } from './decode.ts'
import { bundledModel, provenance } from './provenance.ts'
import { readItems, STORY_PROMPTS, TASKS } from './tasks.ts'

const TEXT_TOKENS_MAX = 150
/** Upper edges of the buckets of probability. */
const PROBABILITIES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1]

const { values } = commandLine({
  options: {
    rows: { type: 'string', default: '20' },
    model: { type: 'string', default: bundledModel },
  },
})

/** One masked prediction that was reached: every one before it in its block held. */
interface Checked {
  readonly place: number
  readonly logprob: number
  readonly held: boolean
}

interface Prediction {
  readonly ids: Int32Array
  readonly logprobs: Float32Array
}

const { manifest, encodeChat } = await loadTokenizer(values.model)
const model = await loadModel(values.model, 'int8')
const engine = await createOnnxEngine(model, { threads: 1, spinning: false, sequencesMax: 1 })
const masks = Array.from({ length: manifest.maxBlockLength }, () => manifest.maskTokenId)

const groups = new Map<string, Checked[]>()
for (const task of TASKS) {
  const items = await readItems(task, Number(values.rows))
  groups.set(task, await checkAll(items.map(({ prompt }) => prompt)))
}
const tasks = [...groups.values()].flat()
groups.set('story', await checkAll([...STORY_PROMPTS]))
groups.set('all tasks', tasks)
await engine.dispose()

const report = Object.fromEntries([...groups].map(([name, checked]) => [name, summarise(checked)]))
for (const [name, { byPlace, exponent }] of Object.entries(report)) {
  const places = byPlace.slice(0, 8).map((share) => share?.toFixed(2) ?? '   -')
  process.stdout.write(
    `${name.padEnd(10)} exponent ${exponent.toFixed(2)}  by place ${places.join(' ')}\n`,
  )
}
process.stdout.write(
  `${JSON.stringify({ ...provenance(), rows: Number(values.rows), ...report })}\n`,
)

async function checkAll(prompts: readonly string[]): Promise<Checked[]> {
  const checked: Checked[] = []
  for (const prompt of prompts) {
    const promptIds = encodeChat([{ role: 'user', content: prompt }])
    const { text, predictions } = await readText(engine, promptIds)
    for (const [position, { ids, logprobs }] of predictions.entries()) {
      for (let place = 1; place < masks.length && position + place < text.length; place += 1) {
        const held = ids[place] === text[position + place]
        checked.push({ place, logprob: logprobs[place] as number, held })
        if (!held) break
      }
    }
  }
  return checked
}

/** The greedy text, and before each of its tokens what a block of masks would say from there on. */
async function readText(
  on: Engine,
  promptIds: readonly number[],
): Promise<{ text: number[]; predictions: Prediction[] }> {
  const sequence = on.open()
  const text: number[] = []
  const predictions: Prediction[] = []
  const room = manifest.contextLength - promptIds.length
  for (let tail = [...promptIds]; text.length < Math.min(TEXT_TOKENS_MAX, room);) {
    const group = { tokens: masks, afterTail: tail.length }
    const rows = { sequence, tail, groups: [group], readTail: 1, entropies: 'groups' } as const
    const [results] = await on.forward([{ ...rows, top: 'none' }])
    on.commit(sequence, tail.length)
    const token = results!.ids[0] as number
    text.push(token)
    predictions.push({ ids: results!.ids.slice(1), logprobs: results!.logprobs!.slice(1) })
    if (manifest.eosTokenIds.includes(token)) break
    tail = [token]
  }
  on.close(sequence)
  return { text, predictions }
}

function summarise(checked: readonly Checked[]) {
  const share = (part: readonly Checked[]): number | null =>
    part.length === 0 ? null : round(part.filter(({ held }) => held).length / part.length)
  const bucket = ({ logprob }: Checked): number =>
    PROBABILITIES.findIndex((edge) => Math.exp(logprob) <= edge + 1e-6)
  return {
    checked: checked.length,
    exponent: fitExponent(checked),
    byPlace: masks
      .slice(1)
      .map((_, index) => share(checked.filter(({ place }) => place === index + 1))),
    byProbability: PROBABILITIES.map((upTo, index) => {
      const inside = checked.filter((each) => bucket(each) === index)
      return { upTo, checked: inside.length, held: share(inside) }
    }),
  }
}

/** The exponent on a grid under which what was observed is most likely. */
function fitExponent(checked: readonly Checked[]): number {
  const grid = Array.from({ length: 40 }, (_, index) => round(0.05 * (index + 1)))
  const likelihood = (exponent: number): number =>
    checked.reduce((sum, { logprob, held }) => {
      const chance = Math.min(Math.exp(exponent * logprob), 1 - 1e-6)
      return sum + Math.log(held ? chance : 1 - chance)
    }, 0)
  const scored = grid.map((exponent) => ({ exponent, score: likelihood(exponent) }))
  return scored.reduce((best, each) => (each.score > best.score ? each : best)).exponent
}

function round(value: number): number {
  return Number(value.toFixed(3))
}
