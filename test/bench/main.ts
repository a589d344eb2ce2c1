/**
 * Speed of this engine in all its modes against itself and against the engines that people run today, on one machine,
 * with one model and the same prompts.
 *
 *   npm run bench -- [--quick] [--shapes nano-4k,25M,100M,500M]
 *
 * `npm run bench:peers` installs the other engines; without it they are left out, and the bench says so. The last line
 * is JSON, and is saved under test/bench/results.
 */
import { commandLine } from '../../gpu-worker/bench/command-line.ts'
import { loadTokenizer } from '../eval/decode.ts'
import { bundledModel } from '../eval/provenance.ts'
import { STORY_PROMPTS } from '../eval/tasks.ts'
import { compare, countIdentical, type Comparison } from './comparison.ts'
import { NTP, sbd, VERIFIED } from './configurations.ts'
import { measureHttpTtft } from './http-ttft.ts'
import type { Request } from './contender.ts'
import { contenderOf, decodeCounts, startOurs, type DecodeCounts, type OurEngine } from './ours.ts'
import { ALL_FORMATS, candidatesFor, peersInstalled, type Candidate } from './peers/candidates.ts'
import { tryCandidates, type Trial } from './peers/choose.ts'
import { FULL, QUICK, SHAPE_PLANS, type Plan } from './plans.ts'
import { printBench } from './print-bench.ts'
import { RANDOM_SHAPES, type ShapeName } from './random-models.ts'
import { saveAndPrint, stamp } from './results-file.ts'
import { measureRowTimes } from './row-times.ts'
import { measureShape, type ShapeResult } from './shapes.ts'
import { median, round } from './statistics.ts'
import { measureEvenness, measureStreams } from './streams.ts'
import { promptRequest, taskRequests } from './workload.ts'

const { values } = commandLine({
  options: { quick: { type: 'boolean', default: false }, shapes: { type: 'string' } },
})
const plan: Plan = values.quick ? QUICK : FULL
const shapes = shapeNames(values.shapes) ?? plan.shapes

const startedMs = performance.now()
const facts = stamp()
const { manifest, encodeChat } = await loadTokenizer(bundledModel)
const requests = await taskRequests(plan.identicalPrompts, encodeChat, manifest)
const engine = await startOurs(bundledModel)
const trials = await choosePeers(engine)
say('all modes and the peers, in turn')
const comparison = await compare({
  engine,
  trials,
  requests: requests.slice(0, plan.prompts),
  rounds: plan.rounds,
})
say(`verified against ntp on ${requests.length} prompts`)
const identity = await countIdentical(engine, requests)
say('concurrent streams')
const streams = await measureAllStreams(engine)
await engine.close()
say('time to first text through the edge and the worker')
const httpTtftMs = await measureHttpTtft(bundledModel, requests.slice(0, plan.httpPrompts))
say('forward times by rows')
const rowsMs = await measureRows()
const shapeResults = await measureShapes(comparison)

const result = {
  ...facts,
  quick: values.quick,
  model: manifest.id,
  prompts: plan.prompts,
  rounds: plan.rounds,
  seconds: round((performance.now() - startedMs) / 1000, 1),
  ours: comparison.ours,
  peers: Object.fromEntries(
    comparison.peers.map((peer) => [
      peer.sameWeights ? peer.peer : `${peer.peer} (other text)`,
      peer,
    ]),
  ),
  rowsMs,
  streams: streams.throughput[VERIFIED],
  identity,
  httpTtftMs: round(httpTtftMs, 3),
  streamModes: streams.throughput,
  evenness: streams.evenness,
  peerTrials: trials.map(({ candidate: { name }, summary }) => ({ name, ...summary })),
  shapes: shapeResults,
}
printBench(result)
await saveAndPrint(values.quick ? 'bench-quick' : 'bench', result)

function say(what: string): void {
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0)
  process.stderr.write(`${seconds.padStart(4)} s  ${what}\n`)
}

function shapeNames(list: string | undefined): ShapeName[] | undefined {
  if (list === undefined) return undefined
  const names = list.split(',').filter((name) => name !== '')
  for (const name of names) {
    if (!(name in RANDOM_SHAPES))
      throw new Error(`--shapes: ${name} is none of ${Object.keys(RANDOM_SHAPES).join(', ')}`)
  }
  return names as ShapeName[]
}

async function choosePeers(ours: OurEngine): Promise<Trial[]> {
  if (!peersInstalled) {
    say('the other engines are not installed (npm run bench:peers): left out')
    return []
  }
  say('settings of the peers')
  const all = await candidatesFor(bundledModel, ALL_FORMATS)
  const tried = (candidate: Candidate): boolean =>
    plan.peerFormats.includes(candidate.format) && plan.peerThreads.includes(candidate.threads)
  const ntp = contenderOf(ours, NTP, { ...manifest.defaults, mode: 'ntp' })
  return tryCandidates(all.filter(tried), ntp, requests.slice(0, plan.trialPrompts))
}

async function measureAllStreams(ours: OurEngine) {
  const { defaults } = manifest
  const modes = {
    [NTP]: { ...defaults, mode: 'ntp' as const },
    [VERIFIED]: { ...defaults, mode: 'verified' as const },
    [sbd(0.35)]: { ...defaults, mode: 'sbd' as const, gamma: 0.35 },
  }
  const throughput: Record<string, Record<string, number>> = {}
  const evenness: Record<string, Awaited<ReturnType<typeof measureEvenness>>> = {}
  for (const [name, decoding] of Object.entries(modes)) {
    const rates = new Map(plan.streams.map((count) => [count, [] as number[]]))
    for (let index = 0; index < plan.streamRounds; index++) {
      for (const [count, list] of rates) {
        const load = { requests: requests.slice(0, plan.streamPrompts), streams: count }
        list.push((await measureStreams(ours, decoding, load)).tokensPerSecond)
      }
    }
    throughput[name] = Object.fromEntries(
      [...rates].map(([count, list]) => [count, round(median(list), 1)]),
    )
    const load = { requests: longTexts(), streams: Math.max(...plan.streams) }
    evenness[name] = await measureEvenness(ours, decoding, load)
  }
  return { throughput, evenness }
}

/** Stories, with the longest prompts among them: their prefill is what could stall a stream. */
function longTexts(): Request[] {
  const stories = Array.from({ length: plan.stories }, (_, index) =>
    promptRequest(STORY_PROMPTS[index % STORY_PROMPTS.length] as string, encodeChat, manifest),
  )
  const long = [...requests]
    .sort((a, b) => b.tokenIds.length - a.tokenIds.length)
    .slice(0, plan.longPrompts)
  const every = Math.floor(stories.length / long.length)
  return stories.flatMap((story, index) =>
    index % every === every - 1 ? [story, long[Math.floor(index / every)] as Request] : [story],
  )
}

async function measureRows(): Promise<Record<string, number>> {
  const cached = manifest.contextLength - Math.max(...plan.rowCounts)
  const options = { cached: [cached], rowCounts: plan.rowCounts, rounds: plan.rowRounds }
  const times = (await measureRowTimes(bundledModel, options)).get(cached) ?? new Map()
  return Object.fromEntries([...times].map(([rows, ms]) => [rows, round(ms as number, 4)]))
}

async function measureShapes({ generations }: Comparison): Promise<ShapeResult[]> {
  const acceptance: Record<string, DecodeCounts> = {}
  for (const name of [VERIFIED, sbd(0.35)]) {
    acceptance[name] = decodeCounts((generations.get(name) ?? []).flat())
  }
  const results: ShapeResult[] = []
  for (const options of SHAPE_PLANS.filter(({ shape }) => shapes.includes(shape))) {
    say(`random weights, ${options.shape}`)
    results.push(...(await measureShape({ ...options, acceptance })))
  }
  return results
}
