import type { ErrorCode } from '@setblock/shared'
import type { RelayEnd } from '../stream/relay.ts'

/** A request whose answer's headers are out. */
export interface AnsweredRequest {
  /** The pattern that its path matched, or `other`. */
  readonly route: string
  readonly method: string
  readonly status: number
  /** Milliseconds until then. */
  readonly durationMs: number
}

/** Which of a key's bounds refused a request. */
export type LimitReason = 'requests' | 'tokens' | 'quota'

/**
 * Why a worker was not offered a job: it had just said that it is full, or had yet to answer too many.
 */
export type WithheldReason = 'full' | 'unanswered'

/** An answer in the making, or somebody who reads one that is kept: a resumable answer is both. */
export type StreamKind = 'answer' | 'reader'

/**
 * What the edge counts. Every label is a word of a fixed list or a model of this edge, so the number of series is
 * bounded; none is a tenant, a key, a session, an address or text.
 */
export interface EdgeMetrics {
  answered(request: AnsweredRequest): void
  /** A failure that a client was told of, as a status or inside a stream. */
  failed(code: ErrorCode): void
  limited(reason: LimitReason): void
  /** The first text of an answer, `ms` after its request came. */
  firstText(labels: { model: string; mode: string }, ms: number): void
  streamOpened(kind: StreamKind): void
  streamEnded(kind: StreamKind, outcome: RelayEnd, ms: number): void
  /** A worker took what it was sent, or refused it with this code. */
  workerAnswered(code: 'ok' | ErrorCode): void
  /** A job was refused here in the name of a worker that has no room. */
  withheld(reason: WithheldReason): void
}

/** For platforms that count by themselves, such as Workers. */
export const noMetrics: EdgeMetrics = {
  answered: () => undefined,
  failed: () => undefined,
  limited: () => undefined,
  firstText: () => undefined,
  streamOpened: () => undefined,
  streamEnded: () => undefined,
  workerAnswered: () => undefined,
  withheld: () => undefined,
}
