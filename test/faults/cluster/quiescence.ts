import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from './cluster.ts'
import type { Findings } from './findings.ts'
import type { SessionClient } from './session-client.ts'

/** Longer than a worker may take to notice that everyone has left. */
const QUIET_MS_MAX = 60_000
const POLL_MS = 200
/** Handles that a service may hold when nobody asks: files, listening sockets, a few connections kept alive. */
const HANDLES_MAX = 64

export interface Readiness {
  readonly status: string
  readonly activeJobs: number
  readonly scheduler: { running: number; queued: number; freeSequences: number }
}

/** Files, sockets and pipes that a process has open; 0 where the system does not tell. */
export function countHandles(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return 0
  }
}

/**
 * When nobody asks any more: every slot of every worker is free, no job is left, handles are few,
 * and every acknowledged turn of every session is there.
 * @returns the most handles that one process has open
 */
export async function checkQuiescence(
  cluster: Cluster,
  clients: readonly SessionClient[],
  findings: Findings,
): Promise<number> {
  for (const [index, { worker }] of cluster.seats.entries()) {
    const left = await waitUntilIdle(worker.url)
    if (left !== undefined) findings.violate('leak', `worker ${index}: ${JSON.stringify(left)}`)
  }
  for (const client of clients) {
    for (const session of client.held.filter(({ version }) => version > 0)) {
      const told = await client.tell(session)
      findings.count('sessions-checked')
      if (told?.version === session.version && told.tokens === session.tokens) continue
      const facts = JSON.stringify({ session, told })
      findings.violate('lost-turn', `in the end: ${facts}`)
    }
  }
  const pids = [cluster.edge.pid, ...cluster.seats.map(({ worker }) => worker.pid)]
  const handles = await Promise.all(pids.map(handlesLeft))
  for (const [index, count] of handles.entries()) {
    if (count > HANDLES_MAX) findings.violate('leak', `process ${index}: ${count} handles`)
  }
  return Math.max(...handles)
}

/** The handles of a process once connections that nobody uses have been closed, or what is left of them. */
async function handlesLeft(pid: number): Promise<number> {
  const deadline = performance.now() + QUIET_MS_MAX
  let count = countHandles(pid)
  while (count > HANDLES_MAX && performance.now() < deadline) {
    await sleep(POLL_MS)
    count = countHandles(pid)
  }
  return count
}

/** Gives what is left when it takes too long. */
async function waitUntilIdle(url: string): Promise<Readiness | undefined> {
  const deadline = performance.now() + QUIET_MS_MAX
  for (;;) {
    const readiness = (await (await fetch(`${url}/readyz`)).json()) as Readiness
    const { status, activeJobs, scheduler } = readiness
    const { running, queued } = scheduler
    if (status === 'ready' && activeJobs + running + queued === 0) return undefined
    if (performance.now() > deadline) return readiness
    await sleep(POLL_MS)
  }
}
