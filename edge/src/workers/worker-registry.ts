import type { WorkerAnnouncement } from '@setblock/shared'
import type { EdgeLimits } from '../limits.ts'
import type { WorkerDirectory, WorkerEntry } from './directory.ts'

/** A worker as its announcements left it. One that left stays known while its past could be replayed. */
export interface RegisteredWorker {
  readonly url: string
  readonly models: readonly string[]
  /** Of the last announcement that counted, Unix milliseconds by the worker's clock. */
  readonly sentAt: number
  readonly state: WorkerAnnouncement['state']
  /** Unix milliseconds at which it stops counting as present. */
  readonly leaseUntil: number
}

export type RegistryState = ReadonlyMap<string, RegisteredWorker>

/** `stale`: sent before the last one that counted, or too far from now. `full`: one too many. */
export type AnnounceOutcome = 'joined' | 'renewed' | 'left' | 'stale' | 'full'

export type RegistryLimits = Pick<EdgeLimits, 'workersMax' | 'workerLeaseMs' | 'clockSkewMs'>

/** What an announcement changes. Only `joined` and `left` change who is listed. */
export function announced(
  state: RegistryState,
  announcement: WorkerAnnouncement,
  { now, limits }: { now: number; limits: RegistryLimits },
): { state: RegistryState; outcome: AnnounceOutcome } {
  const { url, sentAt } = announcement
  const before = state.get(url)
  const skewed = Math.abs(now - sentAt) > limits.clockSkewMs
  if (skewed || (before !== undefined && sentAt <= before.sentAt))
    return { state, outcome: 'stale' }
  const kept = new Map([...state].filter(([, worker]) => isRemembered(worker, now, limits)))
  if (!kept.has(url) && kept.size >= limits.workersMax) return { state, outcome: 'full' }
  const leaving = announcement.state === 'leaving'
  kept.set(url, { ...announcement, leaseUntil: leaving ? now : now + limits.workerLeaseMs })
  const same =
    before !== undefined &&
    isPresent(before, now) &&
    before.models.join('\n') === announcement.models.join('\n')
  const outcome = leaving ? 'left' : same ? 'renewed' : 'joined'
  return { state: kept, outcome }
}

/** The workers that are present. */
export function present(state: RegistryState, now: number): WorkerEntry[] {
  return [...state.values()]
    .filter((worker) => isPresent(worker, now))
    .map(({ url, models }) => ({ url, models }))
}

const isPresent = ({ leaseUntil }: RegisteredWorker, now: number): boolean => now < leaseUntil

/** As long as an older announcement of it would still be taken for a new one. */
const isRemembered = (worker: RegisteredWorker, now: number, limits: RegistryLimits): boolean =>
  isPresent(worker, now) || now <= worker.sentAt + limits.clockSkewMs

/** Where announcements go to, and what they make: a directory. */
export interface WorkerRegistry extends WorkerDirectory {
  announce(announcement: WorkerAnnouncement): Promise<AnnounceOutcome>
}

/** The registry of one process: right where one process is the edge, as on Node. */
export function createMemoryRegistry(options: {
  clock: () => number
  limits: RegistryLimits
}): WorkerRegistry {
  const { clock, limits } = options
  let state: RegistryState = new Map()
  return {
    announce(announcement) {
      const next = announced(state, announcement, { now: clock(), limits })
      state = next.state
      return Promise.resolve(next.outcome)
    },
    list: () => Promise.resolve(present(state, clock())),
  }
}
