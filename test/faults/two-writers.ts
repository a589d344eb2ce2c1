import type { Job, JobEvent } from '@setblock/shared'
import { textOf } from './ledger.ts'
import { Refused, WorkerProcess } from './worker-process.ts'

export interface TwoWritersResult {
  readonly races: number
  /** Races that one writer lost; in the others one was done before the other began. */
  readonly met: number
  /** Races of which no writer was told that its turn counts, or both that theirs is the same version. */
  readonly undecided: number
  /** Sessions that do not hold the turn of the newest version that was told. */
  readonly wrongState: number
}

const RACES = 30
const TENANT = 'writers'

/** Two workers over one folder continue the same session at once: a version is one turn's. */
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
  let [met, undecided, wrongState] = [0, 0, 0]
  try {
    for (let race = 0; race < RACES; race += 1) {
      const id = `race-${race % 5}`
      const jobs = workers.map((_, index) => jobOf(model, id, `race-${race}-${index}`, index))
      const ends = await Promise.all(workers.map((each, index) => turn(each, jobs[index]!)))
      const won = ends.flatMap((events, index) => turnOf(jobs[index]!, events))
      if (won.length < workers.length) met += 1
      if (new Set(won.map(({ version }) => version)).size !== Math.max(won.length, 1))
        undecided += 1
      const { sessions } = await workers[0].call({ operation: 'get', id }, TENANT)
      const newest = won.toSorted((a, b) => b.version - a.version)[0]
      if (sessions[0]?.tokens !== newest?.tokens || sessions[0]?.version !== newest?.version)
        wrongState += 1
    }
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()))
  }
  return { races: RACES, met, undecided, wrongState }
}

async function turn(worker: WorkerProcess, job: Job): Promise<JobEvent[]> {
  try {
    return await worker.run(job, TENANT)
  } catch (error) {
    if (error instanceof Refused) return []
    throw error
  }
}

/** The version that a writer was told its turn made, and its tokens; nothing if it lost. */
function turnOf(job: Job, events: JobEvent[]): { version: number; tokens: number }[] {
  const end = events.at(-1)
  if (end?.type !== 'end' || end.session === undefined) return []
  return [{ version: end.session.version, tokens: job.tokenIds.length + textOf(events).length }]
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
