import type { FinishReason } from '@setblock/shared'
import { Acceptance } from './acceptance.ts'
import { topFor } from './decoder.ts'
import type { Decoder, DecoderInput, Outcome, RowDemand, RowGrant } from './decoder.ts'
import { NO_DRAFT, planDraft, type DraftPlan } from './draft-plan.ts'
import { entropiesFor, reportOn } from './report.ts'
import type { ForwardRows, MaskGroup, RowResults } from './rows.ts'
import { TextCursor } from './text-cursor.ts'

export interface VerifiedOptions {
  /** Most masks in a group; drafts are at most one token shorter. */
  readonly blockLength: number
}

/** Forwards in a row without a group after which one runs a short one, to see whether drafting pays again. */
const PROBE_FORWARDS = 16
const PROBE_MASKS = 3

interface DraftToken {
  readonly tokenId: number
  /** Estimate that it holds, if those before it do. */
  readonly chance: number
  /** Whether a mask named it; the grammar did otherwise. */
  readonly guessed: boolean
}

interface Emitted {
  readonly emitted: readonly number[]
  /** Leading tokens of the draft among them. */
  readonly accepted: number
  readonly finish?: FinishReason
}

/**
 * Mode `verified`: lossless self-speculation with the model's own masked predictions.
 *
 * Rows of a forward: `[pending, causal][draft, causal][A: masks after pending][B: masks after the draft]`. The causal
 * rows give the tokens plain decoding would produce; they are emitted while they agree with the draft, plus one. If the
 * whole draft agreed, B drafts what follows; if it failed at i, A does, from i + 1 on. The text is token for token that
 * of `ntp` for any draft and any number of rows.
 *
 * Rows cost time. How many of the draft are checked, and how many masks A and B have, is planned anew for each forward
 * from the price of a row and the chances of the tokens; on text that cannot be guessed none pays, and it is `ntp`.
 *
 * Under a grammar a draft goes as far as its tokens are allowed. Tokens without a choice are emitted with the one that
 * leads to them, and drafted as they must come.
 */
export class VerifiedDecoder implements Decoder {
  readonly #input: DecoderInput
  readonly #masks: readonly number[]
  readonly #acceptance: Acceptance
  #pending: readonly number[]
  #draft: readonly DraftToken[] = []
  #plan: DraftPlan = NO_DRAFT
  /** What was asked for last: most often it is granted, and need not be planned again. */
  #wish: { rowPrice: number; wanted: number; plan: DraftPlan } | undefined
  #forwardsWithoutGroups = 0
  readonly #cursor: TextCursor
  #step = 0

  constructor(input: DecoderInput, { blockLength }: VerifiedOptions) {
    this.#input = input
    this.#masks = Array.from({ length: blockLength }, () => input.maskTokenId)
    this.#acceptance = new Acceptance(blockLength)
    this.#pending = input.pending
    this.#cursor = new TextCursor(input)
  }

  demand(rowPrice: number): RowDemand {
    const plan = this.#bestPlan(rowPrice, Number.POSITIVE_INFINITY)
    const wanted = this.#pending.length + plan.draft + plan.a + plan.b
    this.#wish = { rowPrice, wanted, plan }
    return { least: this.#pending.length, wanted }
  }

  plan({ rowPrice, rowsMax }: RowGrant): ForwardRows {
    const wish = this.#wish
    const granted = wish !== undefined && wish.rowPrice === rowPrice && wish.wanted <= rowsMax
    this.#plan = granted ? wish.plan : this.#bestPlan(rowPrice, rowsMax - this.#pending.length)
    this.#wish = undefined
    const { draft, a, b } = this.#plan
    const tail = [...this.#pending, ...this.#draft.slice(0, draft).map(({ tokenId }) => tokenId)]
    const groups: MaskGroup[] = []
    if (a > 0) groups.push({ tokens: this.#masks.slice(0, a), afterTail: this.#pending.length })
    if (b > 0) groups.push({ tokens: this.#masks.slice(0, b), afterTail: tail.length })
    const entropies = entropiesFor(this.#input.report, groups.length > 0 ? 'groups' : 'none')
    return { tail, groups, readTail: 1 + draft, entropies, top: topFor(this.#input, 'tail') }
  }

  #bestPlan(rowPrice: number, rowsMax: number): DraftPlan {
    const { stopTokenIds, end } = this.#input
    const last = this.#draft.at(-1)
    const endsText = last !== undefined && stopTokenIds.has(last.tokenId)
    const left = end - this.#cursor.position
    // A draft that ends in a stop token says where the text ends: masks behind that would be of no use.
    const room = endsText ? Math.min(left, this.#draft.length + 1) : left
    const plan = planDraft({
      chances: this.#draft.map(({ chance }) => chance),
      places: this.#acceptance.places,
      room,
      rowPrice,
      rowsMax,
    })
    const masks = Math.min(PROBE_MASKS, this.#masks.length, room - 1 - plan.draft, rowsMax)
    const due = this.#forwardsWithoutGroups >= PROBE_FORWARDS && plan.a + plan.b === 0
    return due && masks > 1 ? { ...plan, b: masks } : plan
  }

  settle(results: RowResults): Outcome {
    const { draft, a, b } = this.#plan
    const start = this.#cursor.position
    const { emitted, accepted, finish } = this.#verify(results)
    const checked = this.#draft.slice(0, draft)
    const outcome = {
      commit: this.#pending.length + accepted,
      reveal: {
        block: this.#step,
        step: this.#step,
        positions: emitted.map((_, index) => start + index),
        tokenIds: emitted,
        ...reportOn(
          this.#input.report,
          results,
          emitted.map((tokenId, row) => ({ row: row > accepted ? undefined : row, tokenId })),
        ),
      },
      // Of an earlier forward's masks those have served whose tokens were checked in this one.
      usedRows: this.#pending.length + accepted + checked.filter(({ guessed }) => guessed).length,
      draft: { length: draft, accepted },
    }
    if (finish !== undefined) return { ...outcome, finish }
    this.#learn(results, accepted)
    this.#draft = this.#nextDraft(results, emitted.length, accepted)
    this.#forwardsWithoutGroups = a + b > 0 ? 0 : this.#forwardsWithoutGroups + 1
    this.#step += 1
    this.#pending = emitted.slice(accepted)
    return outcome
  }

  /** The causal model's own tokens, while they match the draft, the one after, and what follows without a choice. */
  #verify(results: RowResults): Emitted {
    const emitted: number[] = []
    for (let row = 0; row <= this.#plan.draft; row += 1) {
      const { tokenId } = this.#cursor.choose(results, row, false)
      emitted.push(tokenId)
      const finish = this.#cursor.take(tokenId)
      if (finish !== undefined) return { emitted, accepted: row, finish }
      if (row === this.#plan.draft || tokenId !== this.#draft[row]?.tokenId) break
    }
    const { tokenIds, finish } = this.#cursor.takeForced()
    const all = { emitted: [...emitted, ...tokenIds], accepted: emitted.length - 1 }
    return finish === undefined ? all : { ...all, finish }
  }

  #learn({ logprobs }: RowResults, accepted: number): void {
    const { draft, a, b } = this.#plan
    for (const [index, { chance, guessed }] of this.#draft.slice(0, draft).entries()) {
      if (guessed && index <= accepted) this.#acceptance.tokenChecked(chance, index < accepted)
    }
    const groupA = 1 + draft
    if (a > 0) this.#acceptance.groupSeen(logprobs!.subarray(groupA, groupA + a))
    if (b > 0) this.#acceptance.groupSeen(logprobs!.subarray(groupA + a, groupA + a + b))
  }

  /** Masked predictions for the positions after the tokens just emitted: from B if the draft held, else from A. */
  #nextDraft({ ids, logprobs }: RowResults, emitted: number, accepted: number): DraftToken[] {
    const { draft, a, b } = this.#plan
    const whole = accepted === draft
    // B begins behind the draft, A behind the tokens before it: what was emitted from there on is known.
    const first = whole ? 1 + draft + a + (emitted - accepted) : 1 + draft + emitted
    const behind = whole ? 1 + draft + a + b : 1 + draft + a
    const cursor = this.#cursor.copy()
    const tokens: DraftToken[] = []
    for (let row = first; row < behind && cursor.position + 1 < this.#input.end; row += 1) {
      const { forced } = cursor
      const tokenId = forced ?? ids[row]!
      if (!cursor.allows(tokenId)) break
      const afterFailure = !whole && row === first
      const chance =
        forced === undefined ? this.#acceptance.ofToken(logprobs![row] as number, afterFailure) : 1
      tokens.push({ tokenId, chance, guessed: forced === undefined })
      if (cursor.take(tokenId) !== undefined) break
    }
    return tokens
  }
}
