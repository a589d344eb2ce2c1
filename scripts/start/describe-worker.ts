import * as z from 'zod'

const readySchema = z.object({
  models: z.array(z.object({ id: z.string(), device: z.string(), precision: z.string() })),
  memory: z.object({ peakRssBytes: z.number() }),
})

/** What a running worker serves, for people. */
export interface WorkerFacts {
  /** Of each model: its id, what runs it and in which form. */
  readonly models: readonly string[]
  /** The most memory it has had so far. */
  readonly peakMebibytes: number
}

/** @throws Error if the worker is not ready */
export async function describeWorker(workerUrl: string): Promise<WorkerFacts> {
  const response = await fetch(`${workerUrl}/readyz`)
  const { models, memory } = readySchema.parse(await response.json())
  return {
    models: models.map(({ id, device, precision }) => `${id} (${device} ${precision})`),
    peakMebibytes: Math.ceil(memory.peakRssBytes / 1024 ** 2),
  }
}
