/** Control characters, C1 included: a model's text must not steer the terminal. */
const CONTROL = /[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u2028\u2029]/g // eslint-disable-line no-control-regex

/** Text that a terminal shows as it is. Newlines stay; tabs become spaces; other controls become U+FFFD. */
export function toPrintable(text: string): string {
  return text.replaceAll('\r\n', '\n').replaceAll('\t', '  ').replaceAll(CONTROL, '\uFFFD')
}

const ZERO = /^[\p{Mn}\p{Me}\p{Cf}]$/u
/** East Asian wide and full-width blocks, and what is shown as an emoji. */
const WIDE =
  /^[\u1100-\u115F\u2E80-\u303E\u3041-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF01-\uFF60\uFFE0-\uFFE6\u{20000}-\u{3FFFD}\p{Emoji_Presentation}]$/u

/** Columns that a terminal gives to printable text, character by character. */
export function textWidth(text: string): number {
  let width = 0
  for (const character of text) width += ZERO.test(character) ? 0 : WIDE.test(character) ? 2 : 1
  return width
}
