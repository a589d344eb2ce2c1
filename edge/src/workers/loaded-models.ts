import { ApiError, modelIdSchema } from '@setblock/shared'
import * as z from 'zod'
import type { Clock } from '../deps.ts'
import type { EdgeLimits } from '../limits.ts'
import type { WorkerDirectory } from './directory.ts'
import { NOBODY } from './signed-posts.ts'
import { readJson, toWorkerError } from './worker-errors.ts'
import { fetchWithin } from './worker-fetch.ts'
import type { WorkerFetch } from './worker-fetch.ts'

/** A model that a worker has loaded, as far as the edge must agree with it. */
export interface LoadedModel {
  readonly id: string
  readonly tokenizerSha256: string
}

const answerSchema = z.object({
  models: z.array(z.object({ id: modelIdSchema, tokenizerSha256: z.string() })),
})

/**
 * What the workers have loaded, asked of all of them at most once in `modelListMs`.
 *
 * @returns a function that rejects with `worker_unavailable` when no worker answers
 */
export function createLoadedModels(options: {
  directory: WorkerDirectory
  fetch: WorkerFetch
  clock: Clock
  limits: EdgeLimits
}): () => Promise<readonly LoadedModel[]> {
  const { directory, clock, limits } = options
  // A value and no promise: on Workers a request must not wait for another one's.
  let known: { models: readonly LoadedModel[]; at: number } | undefined
  return async () => {
    if (known !== undefined && clock() - known.at < limits.modelListMs) return known.models
    const entries = await directory.list().catch((error: unknown) => {
      throw toWorkerError(error)
    })
    const answers = await Promise.all(entries.map(({ url }) => askModels(url, options)))
    const heard = answers.filter((answer) => answer !== undefined)
    if (heard.length === 0) throw new ApiError('worker_unavailable', NOBODY)
    known = { models: heard.flat(), at: clock() }
    return known.models
  }
}

/** Undefined where the worker does not say. */
async function askModels(
  url: string,
  { fetch, limits }: { fetch: WorkerFetch; limits: EdgeLimits },
): Promise<readonly LoadedModel[] | undefined> {
  const { signal } = new AbortController()
  const request = { method: 'GET', headers: {}, signal, answerMs: limits.readinessMs } as const
  try {
    const response = await fetchWithin(fetch, `${url}/v1/models`, request)
    const answer = await readJson(response, limits.modelAnswerBytesMax)
    return answerSchema.safeParse(answer).data?.models
  } catch {
    return undefined
  }
}
