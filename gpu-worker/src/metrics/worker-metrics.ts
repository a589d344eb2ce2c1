import { readFileSync } from 'node:fs'
import { collectDefaultMetrics, Gauge, Registry } from '@prometheus-io/client'
import { registerEngineMetrics, type MeteredBlocks, type MeteredModel } from './engine-metrics.ts'
import { JobMetrics } from './job-metrics.ts'

const packageFile = new URL('../../package.json', import.meta.url)
const { version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }

export interface WorkerMetrics {
  readonly jobs: JobMetrics
  readonly contentType: string
  /** Everything in Prometheus's text format. */
  text(): Promise<string>
}

/**
 * The worker's metrics. No label ever holds a tenant, a session, a key or text: each is a model of this worker, a mode,
 * or a word of a fixed list, so the number of series is bounded.
 */
export function createWorkerMetrics(
  models: readonly MeteredModel[],
  blocks: MeteredBlocks,
): WorkerMetrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  registerEngineMetrics(registry, models, blocks)
  const build = new Gauge({
    name: 'setblock_build_info',
    help: 'What runs here; always 1',
    labelNames: ['model', 'version', 'provider', 'precision', 'node'],
    registers: [registry],
  })
  for (const { id, provider, precision } of models) {
    build.set({ model: id, version, provider, precision, node: process.version }, 1)
  }
  const jobs = new JobMetrics(registry)
  for (const { id } of models) jobs.begin(id)
  return {
    jobs,
    contentType: registry.contentType,
    text: () => registry.metrics(),
  }
}
