import type { FinishReason } from '@setblock/shared'
import { topFor, type Decoder, type DecoderInput, type Outcome, type RowDemand } from './decoder.ts'
import { leastReveals } from './pace.ts'
import { entropiesFor, reportOn } from './report.ts'
import type { ForwardRows, RowResults } from './rows.ts'
import type { Pick } from './sampler.ts'
import type { SetBlockOptions } from './set-block.ts'
import { TextCursor } from './text-cursor.ts'

/** After so many forwards in a row that let no masked token go, blocks are short until one does. */
const QUIET_FORWARDS = 2
/** Masks of a short block: the least that guess a token, since the first stands for the causal row's. */
const SHORT_BLOCK = 2

/** A token of the run; `row` is undefined where the grammar left no choice. */
interface RunPick extends Pick {
  readonly row: number | undefined
}

interface Run {
  readonly picks: readonly RunPick[]
  /** Nats: the bound, or what the run took where a latency budget asked for more. */
  readonly gamma: number
  readonly finish?: FinishReason
}

/**
 * Mode `sbd` with rule `prefix`: tokens are revealed from the frontier on, never behind a hole.
 *
 * Rows of a forward: `[tokens revealed by the last one, causal][k masks]`. The causal row gives the token at the
 * frontier, as plain decoding would; masked ones follow it while their entropies sum to at most gamma. The next block
 * begins right behind them. So every token knows all tokens before it but those of its own forward, and at gamma 0 the
 * text is that of `ntp`. The entropy of the causal token does not count: no other order would have done without it.
 *
 * Masks cost time. On text that lets none of them go a block has only as many as it takes to see when that changes; a
 * latency budget, which lets them go whatever they are, keeps all. This follows the stream's own text alone, so that the
 * text never depends on what shares the batch.
 */
export class PrefixDecoder implements Decoder {
  readonly #input: DecoderInput
  readonly #gamma: number
  readonly #masks: readonly number[]
  #quietForwards = 0
  readonly #cursor: TextCursor
  #pending: readonly number[]
  #step = 0
  /** Tokens that the bound alone would have revealed in all steps. */
  #byRule = 0

  constructor(input: DecoderInput, { gamma, blockLength }: Omit<SetBlockOptions, 'rule'>) {
    this.#input = input
    this.#gamma = gamma
    this.#masks = Array.from({ length: blockLength }, () => input.maskTokenId)
    this.#cursor = new TextCursor(input)
    this.#pending = input.pending
  }

  /** Masks of the next forward. */
  get #block(): readonly number[] {
    const isQuiet = this.#quietForwards >= QUIET_FORWARDS
    return isQuiet ? this.#masks.slice(0, SHORT_BLOCK) : this.#masks
  }

  demand(): RowDemand {
    const rows = this.#pending.length + this.#block.length
    return { least: rows, wanted: rows }
  }

  plan(): ForwardRows {
    const { report, sampling, grammar } = this.#input
    const isPlain = sampling.temperature === 0 && grammar === undefined
    return {
      tail: this.#pending,
      groups: [{ tokens: this.#block, afterTail: this.#pending.length }],
      readTail: 1,
      entropies: entropiesFor(report, isPlain ? 'groups' : 'none'),
      top: topFor(this.#input, 'all'),
    }
  }

  settle(results: RowResults, forwardsLeft?: number): Outcome {
    const { position } = this.#cursor
    const { picks, gamma, finish: ended } = this.#run(results, this.#leastReveals(forwardsLeft))
    const forced = ended === undefined ? this.#cursor.takeForced() : { tokenIds: [] }
    const rows = [...picks, ...forced.tokenIds.map((tokenId) => ({ tokenId, row: undefined }))]
    const tokenIds = rows.map(({ tokenId }) => tokenId)
    const commit = this.#pending.length
    const reveal = {
      block: this.#step,
      step: this.#step,
      positions: rows.map((_, index) => position + index),
      tokenIds,
      ...reportOn(this.#input.report, results, rows),
    }
    this.#step += 1
    this.#pending = tokenIds
    if (forwardsLeft === undefined) {
      this.#quietForwards = picks.length > 1 ? 0 : this.#quietForwards + 1
    }
    const masksRead = picks.filter(({ row }) => row !== undefined && row > 0).length
    const outcome = { commit, reveal, usedRows: commit + masksRead, gamma }
    const finish = ended ?? forced.finish
    return finish === undefined ? outcome : { ...outcome, finish }
  }

  /** Takes the run that these results reveal. Row 0 is the causal one, row 1 + i the mask i behind the frontier. */
  #run(results: RowResults, least: number): Run {
    const picks: RunPick[] = []
    let sum = 0
    const { length } = this.#block
    for (let index = 0; index < length; index += 1) {
      const source = index === 0 ? 0 : 1 + index
      const row = this.#cursor.forced === undefined ? source : undefined
      const token = { row, ...this.#cursor.choose(results, source, true) }
      const cost = index === 0 ? 0 : token.entropy
      if (index >= least && sum + cost > this.#gamma) break
      if (sum + cost <= this.#gamma) this.#byRule += 1
      sum += cost
      picks.push(token)
      const finish = this.#cursor.take(token.tokenId)
      if (finish !== undefined) return { picks, gamma: Math.max(this.#gamma, sum), finish }
    }
    return { picks, gamma: Math.max(this.#gamma, sum) }
  }

  #leastReveals(forwardsLeft: number | undefined): number {
    if (forwardsLeft === undefined) return 1
    const tokensLeft = this.#input.end - this.#cursor.position
    const byRule = this.#step === 0 ? 0 : this.#byRule / this.#step
    const open = this.#block.length
    return Math.max(1, leastReveals({ tokensLeft, open, forwardsLeft, byRule }))
  }
}
