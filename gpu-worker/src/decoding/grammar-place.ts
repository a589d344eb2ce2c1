/**
 * A place in a text that must follow a grammar. Never changes: a token leads to another place, and going back is keeping
 * the place before. Stop tokens are not part of a grammar: they may come where the text may end.
 */
export interface GrammarPlace {
  /** Whether the text may end here. */
  readonly mayEnd: boolean
  /** Whether nothing but the end can follow. */
  readonly mustEnd: boolean
  /** The token that must come, where there is no choice and the text does not end. */
  readonly forced: number | undefined
  /** The place behind the token; undefined if it is not allowed. */
  after(tokenId: number): GrammarPlace | undefined
  /** An allowed token that leads nearer to an end. Only where not `mustEnd`. */
  nearest(): number
}
