import { WORD, type CodePoints } from './code-points.ts'

/** A regular expression, reduced to what says which strings it matches. */
export type Pattern =
  | { readonly kind: 'set'; readonly set: CodePoints }
  | { readonly kind: 'sequence'; readonly parts: readonly Pattern[] }
  | { readonly kind: 'either'; readonly options: readonly Pattern[] }
  | {
      readonly kind: 'repeat'
      readonly part: Pattern
      readonly min: number
      readonly max: number
    }
  | { readonly kind: 'edge'; readonly at: 'start' | 'end' | 'word' | 'no word' }
  /** What follows must begin, or must not begin, with the part. */
  | { readonly kind: 'ahead'; readonly part: Pattern; readonly negate: boolean }

/** The patterns it is made of, itself not among them. */
function partsOf(pattern: Pattern): readonly Pattern[] {
  switch (pattern.kind) {
    case 'sequence':
      return pattern.parts
    case 'either':
      return pattern.options
    case 'repeat':
    case 'ahead':
      return [pattern.part]
    case 'set':
    case 'edge':
      return []
  }
}

/** Whether it says something about what is around it, not only of what it takes. */
export function looksAround(pattern: Pattern): boolean {
  const { kind } = pattern
  return kind === 'edge' || kind === 'ahead' || partsOf(pattern).some(looksAround)
}

/** Whether it says something about what is before it. */
export function looksBack(pattern: Pattern): boolean {
  const here = pattern.kind === 'edge' && pattern.at !== 'end'
  return here || partsOf(pattern).some(looksBack)
}

/** Whether it may match without taking a character. */
export function mayBeEmpty(pattern: Pattern): boolean {
  switch (pattern.kind) {
    case 'set':
      return false
    case 'sequence':
      return pattern.parts.every(mayBeEmpty)
    case 'either':
      return pattern.options.some(mayBeEmpty)
    case 'repeat':
      return pattern.min === 0 || mayBeEmpty(pattern.part)
    case 'edge':
    case 'ahead':
      return true
  }
}

/** The sets of characters that it tells apart. */
export function setsOf(pattern: Pattern): CodePoints[] {
  if (pattern.kind === 'set') return [pattern.set]
  if (pattern.kind === 'edge') return pattern.at.endsWith('word') ? [WORD] : []
  return partsOf(pattern).flatMap(setsOf)
}
