import { ApiError, sessionAnswerSchema } from '@setblock/shared'
import type { SessionAnswer, SessionFacts } from '@setblock/shared'
import { readJson } from './worker-errors.ts'
import type { WorkerResponse } from './worker-fetch.ts'

/** @throws ApiError `internal_error` if the answer is none. */
export async function readSessionAnswer(
  response: WorkerResponse,
  bytesMax: number,
): Promise<SessionAnswer> {
  const parsed = sessionAnswerSchema.safeParse(await readJson(response, bytesMax))
  if (!parsed.success) throw ApiError.from(new Error('a worker sent an invalid session answer'))
  return parsed.data
}

/** One page of what all workers list: workers that share a store list the same sessions. */
export function mergeLists(answers: readonly SessionAnswer[], count: number): SessionAnswer {
  const newest = new Map<string, SessionFacts>()
  for (const facts of answers.flatMap(({ sessions }) => sessions)) {
    const known = newest.get(facts.id)
    if (known === undefined || known.version < facts.version) newest.set(facts.id, facts)
  }
  const sorted = [...newest.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const sessions = sorted.slice(0, count)
  const more = sorted.length > count || answers.some(({ next }) => next !== undefined)
  const last = sessions.at(-1)
  return more && last !== undefined ? { sessions, next: last.id } : { sessions }
}
