import type { Job, JobEvent } from '@setblock/shared'
import { textOf } from './ledger.ts'
import { Refused, WorkerProcess } from './worker-process.ts'

export interface TwoWritersResult {
  readonly races: number
  /** Races of which both writers, or none, were told that they had won. */
  readonly undecided: number
  /** Sessions that do not hold the winner's turn. */
  readonly wrongState: number
}

const RACES = 30
const TENANT = 'writers'

/** Two workers over one folder continue the same session at once: exactly one turn may count. */
export async function twoWriters(options: {
  modelFolder: string
  model: string
  folder: string
}): Promise<TwoWritersResult> {
  const { modelFolder, model, folder } = options
  const workers = await Promise.all([
    WorkerProcess.start({ modelFolder, folder }),
    WorkerProcess.start({ modelFolder, folder }),
  ])
  let [undecided, wrongState] = [0, 0]
  try {
    for (let race = 0; race < RACES; race += 1) {
      const id = `race-${race % 5}`
      const jobs = workers.map((_, index) => jobOf(model, id, `race-${race}-${index}`, index))
      const ends = await Promise.all(workers.map((each, index) => turn(each, jobs[index]!)))
      const winners = ends.filter((events) => events.at(-1)?.type === 'end')
      if (winners.length !== 1) undecided += 1
      const { sessions } = await workers[0].call({ operation: 'get', id }, TENANT)
      const winner = jobs[ends.indexOf(winners[0]!)]
      const length = (winner?.tokenIds.length ?? 0) + textOf(winners[0] ?? []).length
      if (sessions[0]?.tokens !== length) wrongState += 1
    }
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()))
  }
  return { races: RACES, undecided, wrongState }
}

async function turn(worker: WorkerProcess, job: Job): Promise<JobEvent[]> {
  try {
    return await worker.run(job, TENANT)
  } catch (error) {
    if (error instanceof Refused) return []
    throw error
  }
}

/** The whole conversation each time, of another length for each writer. */
function jobOf(model: string, session: string, id: string, writer: number): Job {
  return {
    id,
    model,
    tokenIds: Array.from({ length: 20 + writer }, (_, index) => 400 + index),
    maxTokens: 12,
    stopTokenIds: [],
    decoding: { mode: 'ntp', gamma: 0, blockLength: 6, rule: 'strict' },
    sampling: { temperature: 0, topP: 1, topK: 0, seed: 1 },
    session: { id: session, onDisconnect: 'rollback' },
  }
}
