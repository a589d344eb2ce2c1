/** Longest tail that is held back, in UTF-16 units, so that no text can be withheld for long. */
const TAIL_MAX = 64
const segmenter = new Intl.Segmenter('und', { granularity: 'grapheme' })
/** Emoji, which a skin tone, a variation selector or another emoji after a joiner may extend. */
const OPEN_EMOJI = /[\p{Extended_Pictographic}\p{Emoji_Modifier}\uFE0F\u200D]$/u
const FLAG_LETTERS = /\p{Regional_Indicator}+$/u
const FLAG_LETTER_UNITS = 2

/**
 * How many UTF-16 units at the end of a text may be half of what a reader sees as one character: an
 * emoji that may go on, one letter of a flag's two. An accent may follow any letter; that is not
 * waited for, as it would delay every piece of text by a letter.
 */
export function unfinishedTail(text: string): number {
  const tail = text.slice(-TAIL_MAX)
  if (OPEN_EMOJI.test(tail)) {
    const last = [...segmenter.segment(tail)].at(-1)?.segment.length ?? 0
    return last < TAIL_MAX - 1 ? last : 0
  }
  const flags = FLAG_LETTERS.exec(tail)?.[0] ?? ''
  return (flags.length / FLAG_LETTER_UNITS) % 2 === 1 ? FLAG_LETTER_UNITS : 0
}
