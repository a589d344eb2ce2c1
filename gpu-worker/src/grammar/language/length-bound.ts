import { looksAround, mayBeEmpty, type Pattern } from './pattern.ts'

/** A pattern together with the most characters a string may have. */
export interface BoundedPattern {
  readonly pattern: Pattern
  readonly charactersMax: number
}

/**
 * Takes out of a pattern that begins like `^(?=.{1,253}$)` the bound of the length, which is then counted beside the
 * automaton instead of in its states. What may be empty behind the counted characters is taken to be empty: fewer strings.
 */
export function takeLengthBound(pattern: Pattern): BoundedPattern {
  const unbounded = { pattern, charactersMax: Number.POSITIVE_INFINITY }
  if (pattern.kind !== 'sequence') return unbounded
  const [first, ...others] = pattern.parts
  if (first?.kind !== 'edge' || first.at !== 'start') return unbounded
  const firstOther = others.findIndex(({ kind }) => kind !== 'ahead')
  let charactersMax = Number.POSITIVE_INFINITY
  const parts = others.map((part, index) => {
    const counted = index < firstOther || firstOther === -1 ? countedIn(part) : undefined
    if (counted === undefined) return part
    charactersMax = Math.min(charactersMax, counted.charactersMax)
    return counted.pattern
  })
  return { pattern: { kind: 'sequence', parts: [first, ...parts] }, charactersMax }
}

/** The same lookahead without an end to its count, if it counts the characters to the end. */
function countedIn(ahead: Pattern): BoundedPattern | undefined {
  if (ahead.kind !== 'ahead' || ahead.negate || ahead.part.kind !== 'sequence') return undefined
  const [counted, ...rest] = ahead.part.parts
  const end = rest.pop()
  if (counted?.kind !== 'repeat' || counted.part.kind !== 'set') return undefined
  if (end?.kind !== 'edge' || end.at !== 'end') return undefined
  if (rest.some((part) => looksAround(part) || !mayBeEmpty(part))) return undefined
  const endless = { ...counted, max: Number.POSITIVE_INFINITY }
  const part: Pattern = { kind: 'sequence', parts: [endless, end] }
  return { pattern: { ...ahead, part }, charactersMax: counted.max }
}
