import { Counter, Gauge, type Registry } from '@prometheus-io/client'
import type { EngineClient } from '../engine-thread/engine-client.ts'
import type { ThreadMemory } from '../engine-thread/protocol.ts'
import type { ServedModel } from '../models/served-models.ts'
import { CACHE_BLOCK_TOKENS } from '../sessions/block-keys.ts'
import type { KvBlocks } from '../sessions/kv-blocks.ts'

/** A model that this worker serves, as far as its numbers are read when somebody asks for them. */
export interface MeteredModel {
  readonly id: string
  readonly provider: string
  readonly precision: string
  /** Tokens of one sequence. */
  readonly contextLength: number
  /** Of one token's keys and values in a running job. */
  readonly kvBytesPerToken: number
  readonly engine: Pick<EngineClient, 'state' | 'stats' | 'queue' | 'memory'>
}

/** What this worker keeps between turns, of all its models together. */
export type MeteredBlocks = Pick<KvBlocks, 'counts' | 'memoryBytes'>

export function meteredModel({ engine, session }: ServedModel): MeteredModel {
  const { provider, precision } = engine.form
  // A GPU graph of half precision keeps its cache in half precision, too.
  const bytes = precision === 'fp16' || precision === 'q4f16' ? 2 : 4
  return {
    id: session.id,
    provider,
    precision,
    contextLength: session.contextLength,
    kvBytesPerToken: (session.kv.blockLength / CACHE_BLOCK_TOKENS) * bytes,
    engine,
  }
}

type Labels = Readonly<Record<string, string>>
type Reading = readonly (readonly [labels: Labels, value: number])[]

interface Definition<Source> {
  readonly name: string
  readonly help: string
  readonly labels?: readonly string[]
  readonly read: (source: Source) => number | Reading
}

/** One value for each engine thread of a model, numbered from 0. */
const byEngine = (
  { engine }: MeteredModel,
  read: (memory: ThreadMemory) => number,
): [Labels, number][] =>
  engine.memory.map((memory, index) => [{ engine: String(index) }, read(memory)])

const slots = ({ engine: { stats } }: MeteredModel): number => stats.running + stats.freeSequences

const MODEL_GAUGES: readonly Definition<MeteredModel>[] = [
  {
    name: 'worker_ready',
    help: '1 while the engine takes jobs',
    read: ({ engine }) => (engine.state === 'ready' ? 1 : 0),
  },
  {
    name: 'num_requests_running',
    help: 'Jobs that hold a sequence',
    read: ({ engine }) => engine.stats.running,
  },
  {
    name: 'num_requests_waiting',
    help: 'Jobs that wait for a sequence',
    read: ({ engine }) => engine.queue.waiting,
  },
  { name: 'running_max', help: 'Sequences that there are', read: slots },
  {
    name: 'queue_work_seconds',
    help: 'Predicted work of the waiting jobs, as time that they would take alone',
    read: ({ engine }) => engine.queue.workMs / 1000,
  },
  {
    name: 'queue_wait_seconds',
    help: 'Predicted wait of a job that came now',
    read: ({ engine }) => engine.queue.waitMs / 1000,
  },
  {
    name: 'kv_cache_usage_perc',
    help: 'Cached positions of the running jobs, of all that there is room for; 0 to 1',
    read: (model) => model.engine.stats.cachedTokens / (slots(model) * model.contextLength),
  },
  {
    name: 'kv_bytes',
    help: 'Keys and values of running jobs',
    read: ({ engine, kvBytesPerToken }) => engine.stats.cachedTokens * kvBytesPerToken,
  },
  {
    name: 'engine_heap_bytes',
    help: "JavaScript heap in use of an engine's thread; nodejs_heap_size_used_bytes is the main thread's",
    labels: ['engine'],
    read: (model) => byEngine(model, ({ heapBytes }) => heapBytes),
  },
  {
    name: 'engine_external_bytes',
    help: "What the objects of an engine's thread hold outside of its heap",
    labels: ['engine'],
    read: (model) => byEngine(model, ({ externalBytes }) => externalBytes),
  },
]

const BLOCK_GAUGES: readonly Definition<MeteredBlocks>[] = [
  {
    name: 'session_kv_bytes',
    help: 'Keys and values kept in memory between turns',
    read: ({ memoryBytes }) => memoryBytes,
  },
]

const MODEL_COUNTERS: readonly Definition<MeteredModel>[] = [
  {
    name: 'batch_forwards_total',
    help: 'Forwards of the engine, each for all running jobs',
    read: ({ engine }) => engine.stats.forwards,
  },
  {
    name: 'forwards_total',
    help: 'Forwards that jobs took part in, counted once for each job',
    labels: ['phase'],
    read: ({ engine: { stats } }) => [
      [{ phase: 'prefill' }, stats.totals.prefillForwards],
      [{ phase: 'decode' }, stats.totals.decodeForwards],
    ],
  },
  {
    name: 'rows_total',
    help: 'Rows computed; wasted ones cached no token and gave none',
    labels: ['use'],
    read: ({ engine: { stats } }) => [
      [{ use: 'used' }, stats.rows - stats.totals.wastedRows],
      [{ use: 'wasted' }, stats.totals.wastedRows],
    ],
  },
  {
    name: 'engine_busy_seconds_total',
    help: 'Time spent in forwards',
    read: ({ engine }) => engine.stats.totals.busyMs / 1000,
  },
  {
    name: 'generation_tokens_total',
    help: 'Tokens revealed',
    read: ({ engine }) => engine.stats.totals.revealedTokens,
  },
  {
    name: 'prefilled_tokens_total',
    help: 'Prompt tokens computed in pure prompt forwards',
    read: ({ engine }) => engine.stats.totals.prefilledTokens,
  },
  {
    name: 'spec_decode_num_drafts_total',
    help: 'Drafts checked in mode verified',
    read: ({ engine }) => engine.stats.totals.drafts,
  },
  {
    name: 'spec_decode_num_draft_tokens_total',
    help: 'Draft tokens checked',
    read: ({ engine }) => engine.stats.totals.draftTokens,
  },
  {
    name: 'spec_decode_num_accepted_tokens_total',
    help: 'Draft tokens that the causal model agreed with',
    read: ({ engine }) => engine.stats.totals.acceptedTokens,
  },
  {
    name: 'engine_faults_total',
    help: 'Forwards that failed',
    read: ({ engine }) => engine.stats.totals.faults,
  },
]

const BLOCK_COUNTERS: readonly Definition<MeteredBlocks>[] = [
  {
    name: 'kv_blocks_total',
    help: 'Blocks of prompts, by where their keys and values were found; damaged ones are counted apart',
    labels: ['result'],
    read: ({ counts }) => [
      [{ result: 'memory' }, counts.hits],
      [{ result: 'disk' }, counts.restored - counts.fromBucket],
      [{ result: 'bucket' }, counts.fromBucket],
      [{ result: 'recomputed' }, counts.recomputed],
      [{ result: 'damaged' }, counts.corrupt],
      [{ result: 'mismatched' }, counts.mismatched],
    ],
  },
  {
    name: 'kv_block_writes_total',
    help: 'Blocks written to the store, given up, and removed for room',
    labels: ['result'],
    read: ({ counts }) => [
      [{ result: 'stored' }, counts.stored],
      [{ result: 'dropped' }, counts.dropped],
      [{ result: 'evicted' }, counts.evicted],
    ],
  },
]

/**
 * What is known anyway and only read when Prometheus asks: the engine threads report their counts every half second,
 * so a forward pays some additions for it.
 */
export function registerEngineMetrics(
  registry: Registry,
  models: readonly MeteredModel[],
  blocks: MeteredBlocks,
): void {
  const readModels = ({ read }: Definition<MeteredModel>) =>
    models.flatMap((model) => toReading(read(model), { model: model.id }))
  const readBlocks = ({ read }: Definition<MeteredBlocks>) => toReading(read(blocks), {})
  for (const each of MODEL_GAUGES) addGauge(registry, each, ['model'], () => readModels(each))
  for (const each of MODEL_COUNTERS) addCounter(registry, each, ['model'], () => readModels(each))
  for (const each of BLOCK_GAUGES) addGauge(registry, each, [], () => readBlocks(each))
  for (const each of BLOCK_COUNTERS) addCounter(registry, each, [], () => readBlocks(each))
}

function toReading(value: number | Reading, labels: Labels): Reading {
  const list: Reading = typeof value === 'number' ? [[{}, value]] : value
  return list.map(([own, each]) => [{ ...labels, ...own }, each])
}

type Described = Pick<Definition<never>, 'name' | 'help' | 'labels'>

const options = ({ name, help, labels = [] }: Described, common: readonly string[]) => ({
  name: `setblock_${name}`,
  help,
  labelNames: [...common, ...labels],
  registers: [],
})

function addGauge(
  registry: Registry,
  described: Described,
  common: readonly string[],
  read: () => Reading,
): void {
  const gauge = new Gauge({
    ...options(described, common),
    collect() {
      this.reset()
      for (const [labels, value] of read()) this.set(labels, value)
    },
  })
  registry.registerMetric(gauge)
}

function addCounter(
  registry: Registry,
  described: Described,
  common: readonly string[],
  read: () => Reading,
): void {
  const counter = new Counter({
    ...options(described, common),
    collect() {
      this.reset()
      for (const [labels, value] of read()) this.inc(labels, value)
    },
  })
  registry.registerMetric(counter)
}
