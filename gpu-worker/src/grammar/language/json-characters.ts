import type { Run } from './alphabet.ts'

const ASCII_LAST = 0x7f
const BACKSLASH = 0x5c

/** What must be escaped in a JSON string. */
export const ESCAPED: readonly number[] = [
  ...Array.from({ length: 0x20 }, (_, control) => control),
  0x22,
  BACKSLASH,
]

/** The one escape a character is written with: as JSON.stringify does. */
export function escapeOf(codePoint: number): string {
  return JSON.stringify(String.fromCodePoint(codePoint)).slice(1, -1)
}

export function utf8Length(codePoint: number): number {
  if (codePoint <= ASCII_LAST) return 1
  if (codePoint <= 0x7ff) return 2
  return codePoint <= 0xffff ? 3 : 4
}

function leadByte(codePoint: number): number {
  switch (utf8Length(codePoint)) {
    case 1:
      return codePoint
    case 2:
      return 0xc0 | (codePoint >> 6)
    case 3:
      return 0xe0 | (codePoint >> 12)
    default:
      return 0xf0 | (codePoint >> 18)
  }
}

/** How the characters of a run stand in a JSON string. */
export interface Written {
  /** Bytes of the shortest of them. */
  readonly bytes: number
  /** Their first byte; undefined if it is not the same for all. */
  readonly firstByte: number | undefined
}

export function writtenAs({ low, high }: Run): Written {
  const each: Written[] = []
  for (let codePoint = low; codePoint <= Math.min(high, ASCII_LAST); codePoint += 1) {
    const isEscaped = ESCAPED.includes(codePoint)
    const bytes = isEscaped ? escapeOf(codePoint).length : 1
    each.push({ bytes, firstByte: isEscaped ? BACKSLASH : codePoint })
  }
  if (high > ASCII_LAST) {
    for (const end of [Math.max(low, ASCII_LAST + 1), high]) {
      each.push({ bytes: utf8Length(end), firstByte: leadByte(end) })
    }
  }
  return shortest(each)
}

/** Of several together. */
export function shortest(all: readonly Written[]): Written {
  const firstByte = all[0]?.firstByte
  return {
    bytes: Math.min(...all.map(({ bytes }) => bytes)),
    firstByte: all.every((one) => one.firstByte === firstByte) ? firstByte : undefined,
  }
}
