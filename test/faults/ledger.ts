import type { Job, JobEvent, SessionFacts } from '@setblock/shared'
import type { WorkerProcess } from './worker-process.ts'

/** A turn that was sent and of which nobody knows whether it became part of its session. */
export interface OpenTurn {
  readonly job: Job
  /** The session's tokens with the turn's prompt. */
  readonly sequence: readonly number[]
  /** Knows its text: a worker without memory whose graph is that of the worker it was sent to. */
  readonly oracle: WorkerProcess | undefined
}

/** What the client of a session knows of it: everything that was acknowledged. */
export interface KnownSession {
  readonly tenant: string
  readonly id: string
  version: number
  tokenIds: readonly number[]
  openTurn: OpenTurn | undefined
}

export interface Counts {
  rounds: number
  kills: number
  turns: number
  acknowledged: number
  /** First turns of a session in a new process. */
  restores: number
  /** Prompt tokens whose keys and values were restored or shared. */
  cachedTokens: number
  damagedBlocks: number
  damagedStates: number
  refusedDamaged: number
  strangers: number
  wrongTokens: number
  lostTurns: number
  crossTenantHits: number
}

export const noCounts = (): Counts => ({
  rounds: 0,
  kills: 0,
  turns: 0,
  acknowledged: 0,
  restores: 0,
  cachedTokens: 0,
  damagedBlocks: 0,
  damagedStates: 0,
  refusedDamaged: 0,
  strangers: 0,
  wrongTokens: 0,
  lostTurns: 0,
  crossTenantHits: 0,
})

/** The tokens that events reveal, in order of position. */
export function textOf(events: readonly JobEvent[]): number[] {
  const tokens = events.flatMap((event) =>
    event.type === 'reveal'
      ? event.positions.map((at, index) => [at, event.tokenIds[index]!] as const)
      : [],
  )
  return tokens.toSorted(([a], [b]) => a - b).map(([, token]) => token)
}

/**
 * Settles a turn that was cut off: it is either wholly part of the session or not at all.
 * `expected` is the text that the turn must have had. @returns whether an acknowledged turn is lost
 */
export function settleOpenTurn(
  session: KnownSession,
  facts: SessionFacts | undefined,
  expected: readonly number[],
): boolean {
  const { openTurn } = session
  session.openTurn = undefined
  const version = facts?.version ?? 0
  const tokens = facts?.tokens ?? 0
  if (version === session.version) return tokens !== session.tokenIds.length
  const whole = [...(openTurn?.sequence ?? []), ...expected]
  if (openTurn === undefined || version !== session.version + 1 || tokens !== whole.length) {
    return true
  }
  session.version = version
  session.tokenIds = whole
  return false
}
