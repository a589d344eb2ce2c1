import type { FinishReason, Sampling, TokenLogprobs } from '@setblock/shared'
import type { GrammarPlace } from './grammar-place.ts'
import type { Report } from './report.ts'
import type { ForwardRows, RowResults } from './rows.ts'

/** Tokens that one forward made final. Positions are absolute in the sequence. */
export interface Reveal {
  /** Ordinal of the block; ntp and verified count one block a forward. */
  readonly block: number
  /** Ordinal of the decode forward that revealed them. */
  readonly step: number
  readonly positions: readonly number[]
  readonly tokenIds: readonly number[]
  /** Of the raw distribution, in nats; each there if the job asked for it. */
  readonly entropies?: readonly number[]
  readonly logprobs?: readonly TokenLogprobs[]
}

/** What a forward's results lead to. */
export interface Outcome {
  /** Leading tail rows whose K/V becomes cached; the others are dropped. */
  readonly commit: number
  readonly reveal?: Reveal
  readonly finish?: FinishReason
  /** Rows that cached a token, or gave one that was revealed or drafted. */
  readonly usedRows: number
  /** Nats: the entropy bound that was in force, in the mode that has one. */
  readonly gamma?: number
  /** Length of the draft that was checked and of its accepted prefix, in the mode that drafts. */
  readonly draft?: { readonly length: number; readonly accepted: number }
}

/** Rows that a job can use in the next forward. */
export interface RowDemand {
  /** It cannot go on with fewer. */
  readonly least: number
  /** As many as pay. */
  readonly wanted: number
}

/** What a job may spend in the next forward. */
export interface RowGrant {
  /** Tokens that a further row must bring to be worth the time it takes from the whole batch. */
  readonly rowPrice: number
  readonly rowsMax: number
}

/**
 * A decoding mode. Holds the state of one job; plan() and settle() alternate, one pair a forward. No effects: the
 * scheduler runs the rows, commits and emits. The text never depends on what was granted.
 */
export interface Decoder {
  /** Asks without committing to anything. */
  demand(rowPrice: number): RowDemand
  /** The rows of the next forward, at most those granted unless the least ones are more. */
  plan(grant: RowGrant): ForwardRows
  /** `forwardsLeft`: what the rest of the job's latency budget pays for, if it has one. */
  settle(results: RowResults, forwardsLeft?: number): Outcome
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
  readonly report: Report
  /** Where the text begins in the grammar it must follow. */
  readonly grammar?: GrammarPlace | undefined
}

/** Whether rows must bring their top logits along: to draw or choose from them, or to report them. */
export function topFor(
  { sampling, report, grammar }: DecoderInput,
  rows: 'tail' | 'all',
): ForwardRows['top'] {
  const reported = report.logprobs !== undefined && report.logprobs > 0
  const greedy = sampling.temperature === 0 && grammar === undefined
  return greedy && !reported ? 'none' : rows
}
