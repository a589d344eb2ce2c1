/** Code points from the first to the last, both included. */
export type Span = readonly [low: number, high: number]

/** Spans in order, with a gap between any two. Never a surrogate, which is no character of its own. */
export type CodePoints = readonly Span[]

const LAST = 0x10ffff
const [FIRST_SURROGATE, FIRST_LOW_SURROGATE, LAST_SURROGATE] = [0xd800, 0xdc00, 0xdfff]
const PLANE = 0x10000

export function codePoints(...spans: readonly Span[]): CodePoints {
  const merged: [number, number][] = []
  for (const [low, high] of spans.flatMap(withoutSurrogates).toSorted(([a], [b]) => a - b)) {
    const last = merged.at(-1)
    if (last !== undefined && low <= last[1] + 1) last[1] = Math.max(last[1], high)
    else merged.push([low, high])
  }
  return merged
}

function withoutSurrogates([low, high]: Span): Span[] {
  const parts: Span[] = [
    [low, Math.min(high, FIRST_SURROGATE - 1)],
    [Math.max(low, LAST_SURROGATE + 1), high],
  ]
  return parts.filter(([from, to]) => from <= to)
}

/** All characters but these. */
export function allBut(set: CodePoints): CodePoints {
  const edges = [-1, ...set.flat().map((edge, index) => edge - (index % 2 === 0 ? 1 : 0)), LAST]
  const gaps: Span[] = []
  for (let at = 0; at < edges.length; at += 2) {
    gaps.push([(edges[at] as number) + 1, edges[at + 1] as number])
  }
  return codePoints(...gaps.filter(([low, high]) => low <= high))
}

const span = (text: string): Span => [text.codePointAt(0) ?? 0, text.codePointAt(1) ?? 0]

export const ANY = allBut([])
export const DIGITS = codePoints(span('09'))
export const WORD = codePoints(span('09'), span('AZ'), span('az'), span('__'))
/** What `.` does not match (ECMA-262, LineTerminator). */
export const LINE_ENDS = codePoints([0x0a, 0x0a], [0x0d, 0x0d], [0x2028, 0x2029])

const properties = new Map<string, CodePoints>()

/**
 * The characters of a class that this JavaScript engine knows by name. `escape` is `\s` or `\p{...}`, with a name that
 * exists. There are some hundred, so all that were asked for are kept.
 */
export function namedClass(escape: string): CodePoints {
  const known = properties.get(escape) ?? findClass(escape)
  properties.set(escape, known)
  return known
}

function findClass(escape: string): CodePoints {
  const members = new RegExp(`${escape}+`, 'gu')
  const spans: Span[] = []
  for (let start = 0; start <= LAST; start += PLANE) {
    const unitsEach = start === 0 ? 1 : 2
    for (const { 0: run, index } of charactersFrom(start).matchAll(members)) {
      const low = start + index / unitsEach
      spans.push([low, low + run.length / unitsEach - 1])
    }
  }
  return codePoints(...spans)
}

/** All code points of a plane, as one text. */
function charactersFrom(start: number): string {
  const units = new Uint16Array(start === 0 ? PLANE : 2 * PLANE)
  const high = FIRST_SURROGATE + ((start - PLANE) >> 10)
  for (let index = 0; index < PLANE; index += 1) {
    if (start === 0) units[index] = index
    else {
      units[2 * index] = high + (index >> 10)
      units[2 * index + 1] = FIRST_LOW_SURROGATE + (index & 0x3ff)
    }
  }
  return Buffer.from(units.buffer).toString('utf16le')
}
