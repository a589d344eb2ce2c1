/**
 * What the edge costs: the same generation asked of the worker directly, as a signed job, and through the edge, in
 * pairs whose order alternates, for the edge on Node and on the Workers runtime.
 *
 *     npm run bench:edge [-- --pairs 200]
 *
 * Next-token decoding, so that every token is an event of its own. The last line is JSON.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { commandLine } from '../../gpu-worker/bench/command-line.ts'
import { importJobSecret, sha256Hex, signJobToken, type Job, type JobKey } from '@setblock/shared'
import type { EdgeRuntime } from '../../scripts/start/options.ts'
import { startStack, type Stack } from '../../scripts/start/stack.ts'
import { loadSecrets, statePaths } from '../../scripts/start/state.ts'
import { loadTokenizer } from '../eval/decode.ts'
import { bundledModel } from '../eval/provenance.ts'
import { saveAndPrint, stamp } from './results-file.ts'
import { median, quantile, round } from './statistics.ts'

const PROMPT = 'Once upon a time, there was a little'
const TOKENS = 64
const WARM_UP_PAIRS = 20
const JOB_TOKEN_LIFETIME_MS = 50_000
/** What the edge may add, in milliseconds. */
const BARS = { firstEvent: 8, perEvent: 1 } as const

/** Milliseconds of one generation, from the request on. */
interface Times {
  firstEvent: number
  firstToken: number
  /** Between the first event and the last, by the number of gaps. */
  perEvent: number
}

type Ask = () => Promise<Times>

/** Reads a streamed answer; a complete piece of text between separators is an event. */
async function time(
  request: () => Promise<Response>,
  { separator, isToken }: { separator: string; isToken: (event: string) => boolean },
): Promise<Times> {
  const startedMs = performance.now()
  const response = await request()
  if (!response.ok || response.body === null) throw new Error(`status ${response.status}`)
  let rest = ''
  let events = 0
  const at = { first: Number.NaN, token: Number.NaN, last: Number.NaN }
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const now = performance.now() - startedMs
    const parts = (rest + chunk).split(separator)
    rest = parts.pop() ?? ''
    for (const event of parts.filter((part) => part.includes('{'))) {
      events += 1
      if (Number.isNaN(at.first)) at.first = now
      if (Number.isNaN(at.token) && isToken(event)) at.token = now
      at.last = now
    }
  }
  if (events < TOKENS) throw new Error(`${events} events for ${TOKENS} tokens`)
  const perEvent = (at.last - at.first) / (events - 1)
  return { firstEvent: at.first, firstToken: at.token, perEvent }
}

function askEdge({ edgeUrl, demoKey, model }: Stack): Ask {
  const body = JSON.stringify({
    model: model.id,
    prompt: PROMPT,
    stream: true,
    mode: 'ntp',
    max_tokens: TOKENS,
  })
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${demoKey}` }
  const request = () => fetch(`${edgeUrl}/v1/generate`, { method: 'POST', headers, body })
  return () =>
    time(request, { separator: '\n\n', isToken: (event) => event.includes('"type":"text"') })
}

async function askWorker(stack: Stack, jobSecret: string): Promise<Ask> {
  const key = await importJobSecret(jobSecret)
  const { manifest, tokenizer } = await loadTokenizer(bundledModel)
  let asked = 0
  return async () => {
    const job: Job = {
      id: `bench-${asked++}`,
      model: manifest.id,
      tokenIds: [manifest.bosTokenId, ...tokenizer.encodeText(PROMPT)],
      decoding: { ...manifest.defaults, mode: 'ntp' },
      sampling: { temperature: 0, topP: 1, topK: 0, seed: 0 },
      maxTokens: TOKENS,
      stopTokenIds: manifest.eosTokenIds,
    }
    const body = JSON.stringify(job)
    const headers = await signed(body, key)
    const request = () => fetch(`${stack.workerUrl}/v1/jobs`, { method: 'POST', headers, body })
    return time(request, {
      separator: '\n',
      isToken: (event) => event.includes('"type":"reveal"'),
    })
  }
}

async function signed(body: string, key: JobKey): Promise<Record<string, string>> {
  const expiresAt = Date.now() + JOB_TOKEN_LIFETIME_MS
  const payload = { tenant: 'bench', expiresAt, bodySha256: await sha256Hex(body) }
  const token = await signJobToken(key, payload)
  return { 'content-type': 'application/json', authorization: `Bearer ${token}` }
}

interface Pair {
  direct: Times
  edge: Times
}

async function measure(pairs: number, asks: { direct: Ask; edge: Ask }): Promise<Pair[]> {
  const measured: Pair[] = []
  for (let index = 0; index < WARM_UP_PAIRS + pairs; index++) {
    let pair: Pair
    if (index % 2 === 0) pair = { direct: await asks.direct(), edge: await asks.edge() }
    else {
      const edge = await asks.edge()
      pair = { edge, direct: await asks.direct() }
    }
    if (index >= WARM_UP_PAIRS) measured.push(pair)
  }
  return measured
}

async function measureEdge(edge: EdgeRuntime, pairs: number) {
  const stateFolder = await mkdtemp(path.join(tmpdir(), 'setblock-bench-'))
  const place = { edge, host: '127.0.0.1', port: 0, workerPort: 0 } as const
  const options = { ...place, modelFolders: [bundledModel], stateFolder }
  const stack = await startStack(options, new AbortController().signal)
  try {
    const { jobSecret } = await loadSecrets(statePaths(stateFolder).secrets)
    const asks = { direct: await askWorker(stack, jobSecret), edge: askEdge(stack) }
    const summary = summarise(await measure(pairs, asks))
    return { ...summary, floorMs: await measureFloor(stack, pairs) }
  } finally {
    await stack.stop()
    await rm(stateFolder, { recursive: true, force: true })
  }
}

/** Median of a request that neither a key nor a worker has a part in: what the server itself takes. */
async function measureFloor({ edgeUrl }: Stack, times: number): Promise<number> {
  const measured: number[] = []
  for (let index = 0; index < WARM_UP_PAIRS + times; index++) {
    const startedMs = performance.now()
    await (await fetch(`${edgeUrl}/healthz`)).text()
    if (index >= WARM_UP_PAIRS) measured.push(performance.now() - startedMs)
  }
  return round(median(measured), 3)
}

/** Medians, and the median and 95th percentile of what the edge added in each pair. */
function summarise(pairs: readonly Pair[]) {
  const of = (read: (times: Times) => number) => {
    const added = pairs.map(({ direct, edge }) => read(edge) - read(direct))
    return {
      directMs: round(median(pairs.map(({ direct }) => read(direct))), 3),
      edgeMs: round(median(pairs.map(({ edge }) => read(edge))), 3),
      addedMs: round(median(added), 3),
      addedP95Ms: round(quantile(added, 0.95), 3),
    }
  }
  return {
    firstEvent: of((times) => times.firstEvent),
    firstToken: of((times) => times.firstToken),
    perEvent: of((times) => times.perEvent),
  }
}

type Summary = Awaited<ReturnType<typeof measureEdge>>

function printTable(name: string, { floorMs, ...summary }: Summary): void {
  process.stdout.write(`\nedge on ${name}, median of pairs, ms\n`)
  process.stdout.write('             direct    edge   added   p95 added\n')
  for (const [what, { directMs, edgeMs, addedMs, addedP95Ms }] of Object.entries(summary)) {
    const cells = [directMs, edgeMs, addedMs, addedP95Ms].map((ms) => ms.toFixed(3).padStart(8))
    process.stdout.write(`${what.padEnd(11)}${cells.join('')}\n`)
  }
  process.stdout.write(`GET /healthz on this server, which does nothing: ${floorMs.toFixed(3)}\n`)
}

const { values } = commandLine({ options: { pairs: { type: 'string', default: '200' } } })
const pairs = Number(values.pairs)
if (!Number.isInteger(pairs) || pairs < 1) throw new Error('--pairs must be a whole number above 0')
const facts = stamp()
const node = await measureEdge('node', pairs)
printTable('Node', node)
const workers = await measureEdge('wrangler', pairs)
printTable('Workers (wrangler dev)', workers)
const within = [node, workers].map(
  ({ firstEvent, perEvent }) =>
    firstEvent.addedMs <= BARS.firstEvent && perEvent.addedMs <= BARS.perEvent,
)
process.stdout.write(
  `\nwithin +${BARS.firstEvent} ms to the first event and +${BARS.perEvent} ms per event: ${within.join(', ')}\n`,
)
const result = { ...facts, pairs, tokens: TOKENS, bars: BARS, node, workers }
await saveAndPrint('edge-overhead', result)
