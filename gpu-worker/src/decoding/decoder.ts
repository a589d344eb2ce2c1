import type { FinishReason, Sampling } from '@setblock/shared'
import type { ForwardRows, RowResults } from './rows.ts'

/** Tokens that one forward made final. Positions are absolute in the sequence. */
export interface Reveal {
  /** Ordinal of the block; ntp and verified count one block a forward. */
  readonly block: number
  /** Ordinal of the decode forward that revealed them. */
  readonly step: number
  readonly positions: readonly number[]
  readonly tokenIds: readonly number[]
  /** Nats, where the mode reads them. */
  readonly entropies?: readonly number[]
}

/** What a forward's results lead to. */
export interface Outcome {
  /** Leading tail rows whose K/V becomes cached; the others are dropped. */
  readonly commit: number
  readonly reveal?: Reveal
  readonly finish?: FinishReason
}

/**
 * A decoding mode. Holds the state of one job; plan() and settle() alternate, one pair a forward. No effects: the
 * scheduler runs the rows, commits and emits.
 */
export interface Decoder {
  plan(): ForwardRows
  settle(results: RowResults): Outcome
}

/** What every mode needs to know of its job. */
export interface DecoderInput {
  /** Clean tokens that are not cached yet: the last chunk of the prompt. At least one. */
  readonly pending: readonly number[]
  /** Absolute position of the first token to generate. */
  readonly start: number
  /** Absolute position after the last token that may be generated. */
  readonly end: number
  readonly stopTokenIds: ReadonlySet<number>
  readonly sampling: Sampling
  readonly maskTokenId: number
}

/** Whether a row must bring its top logits along. */
export function topFor(sampling: Sampling, rows: 'tail' | 'all'): ForwardRows['top'] {
  return sampling.temperature === 0 ? 'none' : rows
}
