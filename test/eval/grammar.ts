/**
 * What holding answers to a JSON Schema costs and gains: the same held-out tasks decoded with and without their schema,
 * in every mode.
 *
 *   npm run eval:grammar -- [--rows 50] [--model models/setblock-nano] [--threads 1]
 *
 * `valid` is the share of answers that the schema accepts, `accuracy` that of the right ones. The last line is JSON.
 */
import { commandLine } from '../../gpu-worker/bench/command-line.ts'
import type { Decoding, Job, JobEvent } from '@setblock/shared'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { EngineClient } from '../../gpu-worker/src/engine-thread/engine-client.ts'
import { loadTokenizer, type Decoded } from './decode.ts'
import { bundledModel, provenance } from './provenance.ts'
import { isRight, readItems, type Item } from './tasks.ts'

const ANSWER_TOKENS_MAX = 200
const GAMMA = 0.35

const { values } = commandLine({
  options: {
    rows: { type: 'string', default: '50' },
    model: { type: 'string', default: bundledModel },
    threads: { type: 'string', default: '0' },
  },
})

const text = { type: 'string' }
const INTENTS = ['AddToPlaylist', 'BookRestaurant', 'GetWeather', 'PlayMusic', 'RateBook']
const SCHEMAS = {
  order: closed({
    customer: text,
    city: text,
    day: text,
    urgent: { type: 'boolean' },
    items: { type: 'array', items: closed({ name: text, quantity: { type: 'integer' } }) },
  }),
  snips: closed({
    intent: { enum: [...INTENTS, 'SearchCreativeWork', 'SearchScreeningEvent'] },
    // In whatever order the sentence names them.
    slots: { type: 'object', additionalProperties: text },
  }),
} as const

/** The engine with the model's own tokenizer beside it. */
interface Runner {
  readonly defaults: Decoding
  decode(prompt: string, decoding: Decoding, jsonSchema?: string): Promise<Decoded>
  close(): Promise<void>
}

async function openRunner(folder: string, threads: number): Promise<Runner> {
  const { manifest, tokenizer, encodeChat } = await loadTokenizer(folder)
  const options = { modelFolder: folder, precision: 'int8', threads, spinning: false } as const
  const engine = await EngineClient.start({
    ...options,
    engines: 1,
    runningMax: 1,
    queueLengthMax: 0,
  })
  let jobs = 0

  async function decode(prompt: string, decoding: Decoding, jsonSchema?: string) {
    const tokenIds = encodeChat([{ role: 'user', content: prompt }])
    const job: Job = {
      id: `grammar-${jobs++}`,
      model: manifest.id,
      tokenIds,
      decoding,
      sampling: { temperature: 0, topP: 1, topK: 0, seed: 0 },
      maxTokens: Math.min(ANSWER_TOKENS_MAX, manifest.contextLength - tokenIds.length),
      stopTokenIds: manifest.eosTokenIds,
      ...(jsonSchema !== undefined && { grammar: { jsonSchema } }),
    }
    const startedMs = performance.now()
    const events = await run(engine, job)
    const wallMs = performance.now() - startedMs
    const end = events.at(-1)
    if (end?.type !== 'end') throw new Error(`the job ended with ${JSON.stringify(end)}`)
    const given = inOrder(events).slice(0, end.usage.completionTokens)
    const text = new TextDecoder().decode(Buffer.concat(given.map((id) => tokenizer.bytesOf(id))))
    return { tokenIds: given, text, forwards: end.usage.forwardPasses.decode, wallMs }
  }
  return { defaults: manifest.defaults, decode, close: () => engine.drain(0) }
}

function run(engine: EngineClient, job: Job): Promise<JobEvent[]> {
  return new Promise((resolve) => {
    const events: JobEvent[] = []
    engine.submit(job, (event) => {
      events.push(event)
      if (event.type === 'end' || event.type === 'error') resolve(events)
    })
  })
}

/** The revealed tokens by their positions. */
function inOrder(events: readonly JobEvent[]): number[] {
  const tokens = events.flatMap((event) =>
    event.type === 'reveal'
      ? event.positions.map((position, index) => [position, event.tokenIds[index]!] as const)
      : [],
  )
  return tokens.sort(([a], [b]) => a - b).map(([, tokenId]) => tokenId)
}

function closed(properties: object): object {
  const required = Object.keys(properties)
  return { type: 'object', properties, required, additionalProperties: false }
}

interface Tally {
  tokens: number
  forwards: number
  wallMs: number
  valid: number
  right: number
  cut: number
}

function settings({ defaults }: Runner): [string, Decoding][] {
  const base = { ...defaults, gamma: GAMMA }
  const modes = ['ntp', 'verified', 'sbd'] as const
  return modes.map((mode) => [mode === 'sbd' ? `sbd ${GAMMA}` : mode, { ...base, mode }])
}

/** Every prompt is decoded by all settings in turn, so that times are paired. */
async function measure(model: Runner, items: readonly Item[], schema: object) {
  const accepts = new Ajv2020().compile(schema)
  const tallies = new Map<string, Tally>()
  for (const item of items) {
    for (const [mode, decoding] of settings(model)) {
      for (const grammar of [undefined, JSON.stringify(schema)]) {
        const decoded = await model.decode(item.prompt, decoding, grammar)
        add(tallies, `${mode}${grammar === undefined ? '' : ' + schema'}`, {
          decoded,
          item,
          accepts,
        })
      }
    }
  }
  return tallies
}

function add(
  tallies: Map<string, Tally>,
  name: string,
  one: { decoded: Decoded; item: Item; accepts: (value: unknown) => boolean },
): void {
  const { decoded, item, accepts } = one
  const tally = tallies.get(name) ?? {
    tokens: 0,
    forwards: 0,
    wallMs: 0,
    valid: 0,
    right: 0,
    cut: 0,
  }
  tally.tokens += decoded.tokenIds.length
  tally.forwards += decoded.forwards
  tally.wallMs += decoded.wallMs
  if (decoded.tokenIds.length === ANSWER_TOKENS_MAX) tally.cut += 1
  if (isValid(decoded.text, accepts)) tally.valid += 1
  if (isRight(item, decoded.text)) tally.right += 1
  tallies.set(name, tally)
}

function isValid(answer: string, accepts: (value: unknown) => boolean): boolean {
  try {
    return accepts(JSON.parse(answer))
  } catch {
    return false
  }
}

function summarise(tallies: ReadonlyMap<string, Tally>, count: number) {
  return Object.fromEntries(
    [...tallies].map(([name, { tokens, forwards, wallMs, valid, right, cut }]) => [
      name,
      {
        valid: valid / count,
        accuracy: right / count,
        cut: cut / count,
        tokensPerForward: tokens / forwards,
        tokensPerSecond: (1000 * tokens) / wallMs,
      },
    ]),
  )
}

function printTable(task: string, rows: ReturnType<typeof summarise>): void {
  const line = (...cells: string[]): string =>
    cells.map((cell, index) => (index === 0 ? cell.padEnd(20) : cell.padStart(12))).join(' ')
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
  const lines = Object.entries(rows).map(([name, row]) =>
    line(
      name,
      percent(row.valid),
      percent(row.accuracy),
      row.tokensPerForward.toFixed(2),
      row.tokensPerSecond.toFixed(0),
    ),
  )
  const head = line('', 'valid', 'accuracy', 'tok/forward', 'tok/s')
  process.stdout.write(`\n${task}\n${[head, ...lines].join('\n')}\n`)
}

async function main(): Promise<void> {
  const model = await openRunner(values.model, Number(values.threads))
  const tasks: Record<string, unknown> = {}
  for (const [task, schema] of Object.entries(SCHEMAS)) {
    const items = await readItems(task as keyof typeof SCHEMAS, Number(values.rows))
    await measure(model, items.slice(0, 1), schema) // warm-up, not counted
    const rows = summarise(await measure(model, items, schema), items.length)
    printTable(task, rows)
    tasks[task] = rows
  }
  await model.close()
  const result = { ...provenance(), rows: Number(values.rows), gamma: GAMMA, tasks }
  process.stdout.write(`${JSON.stringify(result)}\n`)
}

await main()
