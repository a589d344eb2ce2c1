import { topFor, type Decoder, type DecoderInput, type Outcome, type RowDemand } from './decoder.ts'
import { leastReveals } from './pace.ts'
import { entropiesFor, reportOn } from './report.ts'
import { chooseReveals, type Reveals } from './reveal.ts'
import type { ForwardRows, RowResults } from './rows.ts'
import type { Pick } from './sampler.ts'
import type { SetBlockOptions } from './set-block.ts'
import { TextCursor } from './text-cursor.ts'

/** A token for an index of the block; `row` is undefined where the grammar left no choice. */
interface GuidedPick extends Pick {
  readonly index: number
  readonly row: number | undefined
}

/**
 * Mode `sbd` for a text that follows a grammar. Blocks and rows are those of SetBlockDecoder. What differs is the order:
 * which tokens are allowed at a position depends on all tokens before it, so a forward reveals the longest run from the
 * frontier on whose tokens, each the best one allowed, the rule lets through together. Tokens without a choice cost
 * nothing and need no row.
 */
export class GuidedSetBlockDecoder implements Decoder {
  readonly #input: DecoderInput
  readonly #options: SetBlockOptions
  readonly #cursor: TextCursor
  /** Clean tokens whose K/V is not cached yet. Empty after the first forward of a block. */
  #tail: readonly number[]
  /** Revealed tokens of the block; masks follow them. */
  #revealed: number[] = []
  #blockStart: number
  #blockIndex = 0
  #step = 0
  /** Tokens that the rule alone would have revealed in all steps. */
  #byRule = 0

  constructor(input: DecoderInput, options: SetBlockOptions) {
    this.#input = input
    this.#options = options
    this.#cursor = new TextCursor(input)
    this.#tail = input.pending
    this.#blockStart = input.start
  }

  demand(): RowDemand {
    const rows = this.#tail.length + this.#options.blockLength
    return { least: rows, wanted: rows }
  }

  plan(): ForwardRows {
    const masks = this.#options.blockLength - this.#revealed.length
    const block = [
      ...this.#revealed,
      ...Array.from({ length: masks }, () => this.#input.maskTokenId),
    ]
    return {
      tail: this.#tail,
      groups: [{ tokens: block, afterTail: this.#tail.length }],
      readTail: this.#tail.length > 0 ? 1 : 0,
      entropies: entropiesFor(this.#input.report, 'none'),
      top: topFor(this.#input, 'all'),
    }
  }

  settle(results: RowResults, forwardsLeft?: number): Outcome {
    const seeded = this.#tail.length > 0
    const commit = this.#tail.length
    const position = this.#cursor.position
    const { chosen, gamma } = this.#choose(results, forwardsLeft)
    const { tokenIds: forced, finish } = this.#take(chosen)
    const rows = [...chosen, ...forced.map((tokenId) => ({ tokenId, row: undefined }))]
    const reveal = {
      block: this.#blockIndex,
      step: this.#step,
      positions: rows.map((_, index) => position + index),
      tokenIds: rows.map(({ tokenId }) => tokenId),
      ...reportOn(this.#input.report, results, rows),
    }
    this.#step += 1
    this.#tail = []
    this.#place([...chosen.map(({ tokenId }) => tokenId), ...forced])
    // A seed comes from a tail row, which counts as committed already.
    const masksRead = chosen.filter(({ row }) => row !== undefined && (row > 0 || !seeded)).length
    const outcome = { commit, reveal, usedRows: commit + masksRead, gamma }
    return finish === undefined ? outcome : { ...outcome, finish }
  }

  /** Moves the cursor behind the chosen tokens and what follows them without a choice. */
  #take(chosen: readonly GuidedPick[]): ReturnType<TextCursor['takeForced']> {
    for (const { tokenId } of chosen) {
      const finish = this.#cursor.take(tokenId)
      if (finish !== undefined) return { tokenIds: [], finish }
    }
    return this.#cursor.takeForced()
  }

  /** Puts tokens into the block. What a full block has no room for is committed with it, before the next one. */
  #place(tokenIds: readonly number[]): void {
    const { blockLength } = this.#options
    const tokens = [...this.#revealed, ...tokenIds]
    if (tokens.length < blockLength) {
      this.#revealed = tokens
      return
    }
    this.#tail = tokens
    this.#revealed = []
    this.#blockStart += tokens.length
    this.#blockIndex += 1
  }

  /** The run that these results reveal, and the entropy bound that allowed it. */
  #choose(results: RowResults, forwardsLeft?: number): { chosen: GuidedPick[]; gamma: number } {
    const seeded = this.#tail.length > 0
    const reach = Math.min(this.#options.blockLength, this.#input.end - this.#blockStart)
    const least = this.#leastReveals(reach - this.#revealed.length, forwardsLeft)
    const cursor = this.#cursor.copy()
    const run: GuidedPick[] = []
    for (let index = this.#revealed.length; index < reach; index += 1) {
      const source = seeded && index > 0 ? index + 1 : index // row 0 is the causal one
      const row = cursor.forced === undefined ? source : undefined
      const token = { index, row, ...cursor.choose(results, source, true) }
      if (run.length >= least && !this.#allowsWhole([...run, token], seeded)) break
      run.push(token)
      if (cursor.take(token.tokenId) !== undefined) break
    }
    const { gamma, byRule } = this.#reveals(run, seeded, run.length)
    this.#byRule += byRule
    return { chosen: run, gamma }
  }

  #allowsWhole(run: readonly GuidedPick[], seeded: boolean): boolean {
    return this.#reveals(run, seeded, 0).byRule === run.length
  }

  /** What the rule says of a run; `atLeast` of its tokens are revealed whatever it says. */
  #reveals(run: readonly GuidedPick[], seeded: boolean, atLeast: number): Omit<Reveals, 'indices'> {
    const [seed, ...others] = run
    const seeds = seeded && seed !== undefined ? 1 : 0
    const { gamma, byRule } = chooseReveals({
      rule: this.#options.rule,
      gamma: this.#options.gamma,
      candidates: seeds === 1 ? others : run,
      ...(seeds === 1 && seed !== undefined && { seedEntropy: seed.entropy }),
      atLeast: atLeast - seeds,
    })
    return { gamma, byRule: byRule + seeds }
  }

  #leastReveals(open: number, forwardsLeft: number | undefined): number {
    if (forwardsLeft === undefined) return 1
    const tokensLeft = this.#input.end - this.#cursor.position
    const byRule = this.#step === 0 ? 0 : this.#byRule / this.#step
    return Math.max(1, leastReveals({ tokensLeft, open, forwardsLeft, byRule }))
  }
}
