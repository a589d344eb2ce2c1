import { ModelError } from '../engine/model-error.ts'

/** What a model needs of the host's memory. */
export interface MemoryNeed {
  readonly id: string
  readonly weightBytes: number
  /** The cache of one sequence: the least that the model can run with. */
  readonly sequenceBytes: number
  /** The caches of all sequences that were asked for. */
  readonly cacheBytes: number
}

export interface MemoryBudget {
  /** For everything below. */
  readonly bytesMax: number
  /** For the caches of all models. */
  readonly cacheBytesMax: number
}

/**
 * Bytes of caches for each model, in their order: as much as all ask for where it fits, else one
 * sequence each and the same share of what they ask for beyond that. Weights cannot be shared out.
 *
 * @throws ModelError naming the models and their sizes where not even one sequence of each fits.
 */
export function shareMemory(needs: readonly MemoryNeed[], budget: MemoryBudget): number[] {
  const weights = sum(needs.map(({ weightBytes }) => weightBytes))
  const least = sum(needs.map(({ sequenceBytes }) => sequenceBytes))
  const beyond = sum(needs.map(({ cacheBytes, sequenceBytes }) => cacheBytes - sequenceBytes))
  const room = Math.min(budget.cacheBytesMax, budget.bytesMax - weights) - least
  if (room < 0) throw tooLarge(needs, budget)
  const share = beyond === 0 ? 0 : Math.min(1, room / beyond)
  return needs.map(
    ({ cacheBytes, sequenceBytes }) =>
      sequenceBytes + Math.floor((cacheBytes - sequenceBytes) * share),
  )
}

function tooLarge(needs: readonly MemoryNeed[], budget: MemoryBudget): ModelError {
  const each = needs.map(
    ({ id, weightBytes, sequenceBytes }) =>
      `${id} needs ${megabytes(weightBytes)} of weights and ${megabytes(sequenceBytes)} for one sequence`,
  )
  const bounds = `${megabytes(budget.bytesMax)} (SETBLOCK_MEMORY_MB), of which caches may take ${megabytes(budget.cacheBytesMax)} (SETBLOCK_KV_BYTES_MAX)`
  return new ModelError('memory', `${each.join(', ')}: that does not fit into ${bounds}`)
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1024 ** 2)} MiB`
