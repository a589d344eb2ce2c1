import { RegExpParser, type AST } from '@eslint-community/regexpp'
import {
  allBut,
  ANY,
  codePoints,
  DIGITS,
  LINE_ENDS,
  namedClass,
  WORD,
  type CodePoints,
} from './code-points.ts'
import { LanguageError } from './language-error.ts'
import { looksAround, mayBeEmpty, type Pattern } from './pattern.ts'

const CHARACTERS_MAX = 4096
/** Brackets of groups: the parser follows them by calling itself. */
const GROUPS_MAX = 256
/** Uses of \p{...}: each is looked up in all of Unicode and has hundreds of ranges. */
const PROPERTIES_MAX = 8

const PROPERTY = /\\p\{[^}]*\}/gi
const ESCAPE = /\\([^])/g
/** What may be escaped only without the flag `u`, but is by many; it stands for itself. */
const NEEDLESSLY_ESCAPED = new Set(' !"#%&\',-:;<=>@_`~')

const parser = new RegExpParser({ ecmaVersion: 2024 })

/**
 * Reads a regular expression (ECMA-262 with the flag `u`; needless escapes of punctuation are let pass).
 * @throws LanguageError saying what is wrong, or is not regular.
 */
export function readPattern(source: string): Pattern {
  if (source.length > CHARACTERS_MAX) {
    throw new LanguageError(`has more than ${CHARACTERS_MAX} characters`)
  }
  if (source.split('(').length > GROUPS_MAX) {
    throw new LanguageError(`has more than ${GROUPS_MAX} groups`)
  }
  if ((source.match(PROPERTY)?.length ?? 0) > PROPERTIES_MAX) {
    throw new LanguageError(`has more than ${PROPERTIES_MAX} Unicode properties`)
  }
  return eitherOf(parse(source).alternatives)
}

function parse(source: string): AST.Pattern {
  const strict = source.replace(ESCAPE, (escape, sign: string) =>
    NEEDLESSLY_ESCAPED.has(sign) ? `\\x${sign.charCodeAt(0).toString(16)}` : escape,
  )
  try {
    return parser.parsePattern(strict, 0, strict.length, { unicode: true })
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    const [, reason = 'not readable'] = /: ([^:]*)$/.exec(error.message) ?? []
    throw new LanguageError(`is no regular expression (${reason})`)
  }
}

function eitherOf(alternatives: readonly AST.Alternative[]): Pattern {
  const options = alternatives.map(({ elements }): Pattern => ({
    kind: 'sequence',
    parts: elements.map(elementOf),
  }))
  return options.length === 1 ? (options[0] as Pattern) : { kind: 'either', options }
}

function elementOf(element: AST.Element): Pattern {
  switch (element.type) {
    case 'Character':
    case 'CharacterSet':
    case 'CharacterClass':
      return { kind: 'set', set: setOf(element) }
    case 'Group':
      if (element.modifiers !== null) throw unsupported('flags inside')
      return eitherOf(element.alternatives)
    case 'CapturingGroup':
      return eitherOf(element.alternatives)
    case 'Quantifier':
      return repeatOf(element)
    case 'Assertion':
      return assertionOf(element)
    case 'Backreference':
      throw unsupported('a backreference')
    case 'ExpressionCharacterClass':
      throw unsupported('a set operation')
  }
}

function repeatOf({ element, min, max }: AST.Quantifier): Pattern {
  const part = elementOf(element)
  if (max === Number.POSITIVE_INFINITY && looksAround(part) && mayBeEmpty(part)) {
    throw unsupported('an endless repetition of what may be empty and looks around')
  }
  return { kind: 'repeat', part, min, max }
}

function assertionOf(assertion: AST.Assertion): Pattern {
  switch (assertion.kind) {
    case 'start':
    case 'end':
      return { kind: 'edge', at: assertion.kind }
    case 'word':
      return { kind: 'edge', at: assertion.negate ? 'no word' : 'word' }
    case 'lookahead': {
      const { alternatives, negate } = assertion
      return { kind: 'ahead', part: eitherOf(alternatives), negate }
    }
    case 'lookbehind':
      throw unsupported('a lookbehind')
  }
}

function setOf(
  element: AST.Character | AST.CharacterClass | AST.CharacterClassRange | AST.CharacterSet,
): CodePoints {
  switch (element.type) {
    case 'Character':
      return codePoints([element.value, element.value])
    case 'CharacterClassRange':
      return codePoints([element.min.value, element.max.value])
    case 'CharacterSet':
      return escapedSet(element)
    case 'CharacterClass': {
      const inner = element.elements as AST.ClassRangesCharacterClassElement[]
      const all = codePoints(...inner.flatMap(setOf))
      return element.negate ? allBut(all) : all
    }
  }
}

function escapedSet(element: AST.CharacterSet): CodePoints {
  const negated = (set: CodePoints, negate: boolean): CodePoints => (negate ? allBut(set) : set)
  switch (element.kind) {
    case 'any':
      return allBut(LINE_ENDS)
    case 'digit':
      return negated(DIGITS, element.negate)
    case 'word':
      return negated(WORD, element.negate)
    case 'space':
      return negated(namedClass('\\s'), element.negate)
    case 'property': {
      const { key, value, negate } = element
      return negated(namedClass(`\\p{${value === null ? key : `${key}=${value}`}}`), negate)
    }
  }
}

function unsupported(what: string): LanguageError {
  return new LanguageError(`${what} is not supported`)
}

/** Any string at all. */
export const ANYTHING: Pattern = {
  kind: 'repeat',
  part: { kind: 'set', set: ANY },
  min: 0,
  max: Number.POSITIVE_INFINITY,
}
