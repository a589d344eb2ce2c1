import type { PlacedToken, Run } from './run.ts'
import { isOver } from './run.ts'

/** What stands at one position of the answer. */
export type Cell =
  | { kind: 'token'; index: number; token: PlacedToken; beyondEnd: boolean }
  /** Masked, with a revealed token somewhere behind it. */
  | { kind: 'hole'; index: number }
  /** Masked, and being guessed by the next forward. */
  | { kind: 'ahead'; index: number }

/** The answer position by position, while it is written with the masks it looks ahead to. */
export function toCells(run: Run): Cell[] {
  const counted = run.usage?.completion_tokens ?? Infinity
  const cells = run.tokens.map((token, index): Cell =>
    token === undefined
      ? { kind: 'hole', index }
      : { kind: 'token', index, token, beyondEnd: index >= counted },
  )
  const ahead = isOver(run) ? 0 : aheadOf(run)
  for (let index = cells.length; index < ahead; index++) cells.push({ kind: 'ahead', index })
  return cells
}

/** The first position behind the block that is being decoded; 0 if the mode guesses nothing. */
function aheadOf({ decoding, tokens }: Run): number {
  const blockLength = decoding?.block_length
  if (blockLength === undefined) return 0
  const firstHole = tokens.indexOf(undefined)
  const frontier = firstHole === -1 ? tokens.length : firstHole
  // Drafts of `verified` begin at the frontier; blocks of `sbd` follow each other.
  if (decoding?.mode === 'verified') return frontier + blockLength
  return (Math.floor(frontier / blockLength) + 1) * blockLength
}
