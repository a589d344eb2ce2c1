/**
 * Forward times and decoding speed of one model on one device, beside what the bandwidth of its memory allows.
 *
 *   npm run bench:device -- --device webgpu --model FOLDER [--precision q4f16] [--bandwidth-gbs 1008]
 *     [--cached 256] [--tokens 64] [--prompts 3] [--rounds 3]
 *
 * `--bandwidth-gbs` is the device's, from its data sheet; without it there is no bound. Models with a chat template
 * answer held-out prompts, others continue random ids. Engine and scheduler run in this thread, which owns the device.
 * The last line is JSON, saved under test/bench/results.
 */
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { commandLine } from '../../gpu-worker/bench/command-line.ts'
import type { Decoding } from '@setblock/shared'
import { DEVICE_CHOICES, PRECISIONS } from '../../gpu-worker/src/engine/device.ts'
import { openEngine } from '../../gpu-worker/src/engine/open-engine.ts'
import { isWorthUsing, probeWebGpu } from '../../gpu-worker/src/engine/webgpu-probe.ts'
import { loadTokenizer } from '../eval/decode.ts'
import { bundledModel } from '../eval/provenance.ts'
import { NTP, sbd, VERIFIED } from './configurations.ts'
import type { Request } from './contender.ts'
import { bytesOfForward } from './device-bound.ts'
import { LocalDecoder } from './local-decoder.ts'
import { table } from './report.ts'
import { saveAndPrint, stamp } from './results-file.ts'
import { timeRows } from './row-times.ts'
import { median, round } from './statistics.ts'
import { randomRequest, taskRequests } from './workload.ts'

const ROW_COUNTS = [1, 2, 4, 8, 16, 32]
const GAMMA = 0.35
const RANDOM_PROMPT_TOKENS = 64

const { values } = commandLine({
  options: {
    device: { type: 'string', default: 'auto' },
    precision: { type: 'string' },
    model: { type: 'string', default: bundledModel },
    'bandwidth-gbs': { type: 'string' },
    cached: { type: 'string', default: '256' },
    tokens: { type: 'string', default: '64' },
    prompts: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
  },
})
const device = DEVICE_CHOICES.find((each) => each === values.device)
const precision = PRECISIONS.find((each) => each === values.precision)
if (device === undefined) throw new Error(`--device is one of ${DEVICE_CHOICES.join(', ')}`)
if (values.precision !== undefined && precision === undefined) {
  throw new Error(`--precision is one of ${PRECISIONS.join(', ')}`)
}
const bandwidth =
  values['bandwidth-gbs'] === undefined ? undefined : positive('bandwidth-gbs') * 1e9

const facts = stamp()
const modelFolder = path.resolve(values.model)
const loadedMs = performance.now()
const { engine, manifest, form } = await openEngine({
  modelFolder,
  device,
  precision,
  threads: 0,
  cores: availableParallelism(),
  spinning: false,
  engines: 1,
  coresAreFree: () => true,
  sequencesMax: 1,
})
const loadMs = performance.now() - loadedMs
const gigaflops = form.provider === 'webgpu' ? await measureGigaflops() : undefined
const isSoftware = gigaflops !== undefined && !isWorthUsing({ ok: true, gigaflops })

const { architecture, contextLength } = manifest
const cached = Math.min(positive('cached'), contextLength - Math.max(...ROW_COUNTS))
const curves = await timeRows(engine, manifest, {
  cached: [cached],
  rowCounts: ROW_COUNTS,
  rounds: positive('rounds'),
})
const boundMs = (positions: number): number | undefined =>
  bandwidth && (1000 * bytesOfForward(architecture, form.precision, positions)) / bandwidth
const rowsMs = [...curves.get(cached)!].map(([rows, ms]) => ({ rows, ms: round(ms, 3) }))

const requests = await chooseRequests()
const decoder = await LocalDecoder.start(engine, manifest)
const modes: Record<string, Decoding> = {
  [NTP]: { ...manifest.defaults, mode: 'ntp' },
  [VERIFIED]: { ...manifest.defaults, mode: 'verified' },
  [sbd(GAMMA)]: { ...manifest.defaults, mode: 'sbd', gamma: GAMMA },
}
await decoder.generate(requests[0]!, modes[NTP]!) // warm
const decoded: { mode: string; tokensPerSecond: number; tokensPerForward: number }[] = []
for (const [name, decoding] of Object.entries(modes)) {
  const answers = []
  for (const request of requests) answers.push(await decoder.generate(request, decoding))
  decoded.push({
    mode: name,
    tokensPerSecond: round(median(answers.map((answer) => answer.tokensPerSecond)), 1),
    tokensPerForward: round(median(answers.map((answer) => answer.tokensPerForward)), 3),
  })
}
await decoder.stop()
await engine.dispose()

const result = {
  ...facts,
  model: manifest.id,
  provider: form.provider,
  precision: form.precision,
  // A software driver: shows that it works, says nothing of any GPU.
  softwareVulkan: isSoftware,
  gigaflops: gigaflops && round(gigaflops, 1),
  loadMs: round(loadMs, 0),
  rssMiB: round(process.memoryUsage().rss / 2 ** 20, 0),
  cached,
  bandwidthGBs: bandwidth && bandwidth / 1e9,
  boundMs: boundMs(cached) && round(boundMs(cached)!, 3),
  rowsMs,
  decoded,
}
print()
const where = isSoftware ? 'software-vulkan' : form.provider
await saveAndPrint(`device-${where}-${form.precision}-${manifest.id}`, result)

function positive(option: Exclude<keyof typeof values, 'model' | 'device' | 'precision'>): number {
  const value = Number(values[option])
  if (!(value > 0)) throw new Error(`--${option} must be a positive number`)
  return value
}

async function measureGigaflops(): Promise<number> {
  const probe = await probeWebGpu()
  return probe.ok ? probe.gigaflops : 0
}

/** Held-out prompts where they mean something, else random ids. */
async function chooseRequests(): Promise<Request[]> {
  const count = positive('prompts')
  const maxTokens = positive('tokens')
  if (manifest.id.startsWith('random')) {
    const { vocabularySize } = architecture
    const length = RANDOM_PROMPT_TOKENS
    return Array.from({ length: count }, (_, seed) =>
      randomRequest({ length, maxTokens, vocabularySize }, seed + 1),
    )
  }
  const { encodeChat } = await loadTokenizer(modelFolder)
  const requests = await taskRequests(count, encodeChat, manifest)
  return requests.map((request) => ({
    ...request,
    maxTokens: Math.min(maxTokens, request.maxTokens),
  }))
}

function print(): void {
  const where = `${form.provider} ${form.precision}`
  const note = isSoftware
    ? `, SOFTWARE VULKAN (${round(gigaflops, 1)} GFLOP/s): says nothing of a GPU`
    : ''
  process.stdout.write(`${manifest.id} on ${where}${note}\n`)
  const bound = boundMs(cached)
  const rows = rowsMs.map(({ rows: count, ms }) => [
    String(count),
    String(ms),
    bound === undefined ? '' : round(bound, 3).toString(),
    bound === undefined ? '' : `${round(100 * (bound / ms), 1)} %`,
  ])
  process.stdout.write(
    table(`forwards with ${cached} positions cached`, ['rows', 'ms', 'bound, ms', 'reached'], rows),
  )
  const most = bandwidth && 1000 / boundMs(cached)!
  const speeds = decoded.map(({ mode, tokensPerSecond, tokensPerForward }) => [
    mode,
    String(tokensPerSecond),
    String(tokensPerForward),
    most === undefined ? '' : round(most * tokensPerForward, 1).toString(),
  ])
  process.stdout.write(
    table('decoding', ['mode', 'tokens/s', 'tokens per forward', 'bound, tokens/s'], speeds),
  )
}
