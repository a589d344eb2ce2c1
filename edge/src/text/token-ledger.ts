import type { TokenLogprobs } from '@setblock/shared'
import type { TextToken } from './text-events.ts'

/**
 * Gives tokens out together with their text. Text may be held back (half a character, a possible
 * stop string), so a token waits until all of its own has been sent.
 */
export interface TokenLedger {
  /** Notes a token and the text that decoding gained by it, in UTF-16 units. */
  write(token: { id: number; logprobs: TokenLogprobs }, textLength: number): void
  /** Notes that so many more units were sent, and gives the tokens that are out with them. */
  send(textLength: number): TextToken[]
  /** No text follows: the tokens left that have a share in what was sent. */
  close(): TextToken[]
}

export function createTokenLedger(): TokenLedger {
  let waiting: { token: TextToken; end: number }[] = []
  let written = 0
  let sent = 0
  function take(isOut: (entry: { token: TextToken; end: number }) => boolean): TextToken[] {
    const held = waiting.findIndex((entry) => !isOut(entry))
    const count = held === -1 ? waiting.length : held
    const out = waiting.slice(0, count).map(({ token }) => token)
    waiting = waiting.slice(count)
    return out
  }
  return {
    write({ id, logprobs }, textLength) {
      const token = { id, offset: written, logprobs }
      written += textLength
      waiting.push({ token, end: written })
    },
    send(textLength) {
      sent += textLength
      return take(({ end }) => end <= sent)
    },
    close: () => take(({ token, end }) => end <= sent || token.offset < sent),
  }
}
