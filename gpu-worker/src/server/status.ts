import type { EngineState } from '../engine-thread/engine-client.ts'
import { sumCounts } from '../engine-thread/sum-counts.ts'
import type { ServedModel, ServedModels } from '../models/served-models.ts'
import type { SchedulerStats } from '../scheduler/scheduler.ts'

/** Host memory of the whole process; what lies on a GPU is not in it. */
export interface MemoryUse {
  readonly rssBytes: number
  readonly peakRssBytes: number
}

const BYTES_PER_KIB = 1024

export function memoryUse(): MemoryUse {
  // The operating system counts the peak in KiB.
  const peakRssBytes = process.resourceUsage().maxRSS * BYTES_PER_KIB
  return { rssBytes: process.memoryUsage.rss(), peakRssBytes }
}

/** A worker is ready when all of its models are. */
export function stateOf({ all }: ServedModels): EngineState {
  return all.map(({ engine }) => engine.state).find((state) => state !== 'ready') ?? 'ready'
}

/** The sums over all models. */
export function totalStats({ all }: ServedModels): SchedulerStats {
  return sumCounts(all.map(({ engine }) => engine.stats))
}

/** What a worker tells anyone of a model: how it is served, and how its scheduler stands. */
export function describeModel({ engine }: ServedModel) {
  const { manifest, form, state, activeJobs, stats } = engine
  const { id, contextLength, maxBlockLength, tokenizer, defaults } = manifest
  return {
    id,
    contextLength,
    maxBlockLength,
    tokenizerSha256: tokenizer.sha256,
    defaults,
    device: form.provider,
    precision: form.precision,
    state,
    activeJobs,
    scheduler: stats,
  }
}
