import { DecimalFrame } from './decimal-frame.ts'
import { Choice, Literal, type Frame, type Replacement } from './frame.ts'
import { LanguageBodies } from './language/language-body.ts'
import type { StringLanguage } from './language/string-language.ts'
import {
  elementRule,
  hasText,
  jsonBytes,
  leastElements,
  leastMembers,
  plainRules,
  type Member,
  type PlainRule,
  type Rule,
  type RuleNode,
} from './rule.ts'
import { ANY_STRING_BODY, OtherName, StringBody } from './string-frames.ts'

const OPEN_BRACE = Literal.of('{')
const CLOSE_BRACE = Literal.of('}')
const OPEN_BRACKET = Literal.of('[')
const CLOSE_BRACKET = Literal.of(']')
const COMMA = Literal.of(',')
const COLON = Literal.of(':')
const OPEN_QUOTE = Literal.of('"')
const COMMA_QUOTE = Literal.of(',"')

type ArrayRule = Extract<Rule, { kind: 'array' }>
type ObjectRule = Extract<Rule, { kind: 'object' }>

/** Frames of the rules of one schema, made when they are first needed. */
export class RuleFrames {
  readonly #values = new Map<RuleNode, Frame>()
  readonly #languages = new Map<StringLanguage, LanguageBodies>()

  /** A value that satisfies the rule. Its shortest text must be finite. */
  value(node: RuleNode): Frame {
    const known = this.#values.get(node)
    if (known !== undefined) return known
    const frame = new Choice(node.least, () =>
      plainRules(node).flatMap((rule) => this.#expand(rule)),
    )
    this.#values.set(node, frame)
    return frame
  }

  #expand(rule: PlainRule): readonly Replacement[] {
    switch (rule.kind) {
      case 'literals':
        return [[Literal.of(...rule.texts)]]
      case 'string':
        return [[OPEN_QUOTE, new StringBody(rule.min, rule.max)]]
      case 'language':
        return [[OPEN_QUOTE, this.#bodies(rule.language).at(rule.language.start)]]
      case 'decimal':
        return [[new DecimalFrame(rule.range)]]
      case 'array':
        return [[OPEN_BRACKET, this.#elements(rule, 0, new Map())]]
      case 'object':
        return [[OPEN_BRACE, this.#members(rule, { index: 0, first: true }, new Map())]]
    }
  }

  #bodies(language: StringLanguage): LanguageBodies {
    const known = this.#languages.get(language) ?? new LanguageBodies(language)
    this.#languages.set(language, known)
    return known
  }

  /** Behind `count` elements of an array. From where all that follow are alike, it is one and the same frame. */
  #elements(rule: ArrayRule, count: number, known: Map<number, Frame>): Frame {
    const endless = rule.max === Number.POSITIVE_INFINITY
    const alike = Math.max(rule.min, rule.prefix.length, 1)
    const key = endless ? Math.min(count, alike) : count
    const frame =
      known.get(key) ??
      new Choice(leastElements(rule, key), () => {
        const alternatives: Replacement[] = key >= rule.min ? [[CLOSE_BRACKET]] : []
        const element = key < rule.max ? elementRule(rule, key) : undefined
        if (element !== undefined && hasText(element)) {
          const rest = [this.value(element), this.#elements(rule, key + 1, known)]
          alternatives.push(key === 0 ? rest : [COMMA, ...rest])
        }
        return alternatives
      })
    known.set(key, frame)
    return frame
  }

  /** Before member `index` of an object, those before it written or left out. */
  #members(rule: ObjectRule, { index, first }: MemberPlace, known: Map<string, Frame>): Frame {
    const key = `${index} ${first}`
    const frame =
      known.get(key) ??
      new Choice(leastMembers(rule.members, index, first), () => {
        const { members, additional } = rule
        const required = members.findIndex((member, at) => at >= index && member.required)
        const reachable = members.slice(index, required === -1 ? members.length : required + 1)
        const alternatives = reachable.flatMap((member, offset): Replacement[] => {
          if (!hasText(member.node)) return []
          const rest = this.#members(rule, { index: index + offset + 1, first: false }, known)
          return [[nameOf(member, first), this.value(member.node), rest]]
        })
        if (required !== -1) return alternatives
        if (additional !== undefined && hasText(additional)) {
          const rest = this.#members(rule, { index: members.length, first: false }, known)
          const name = [first ? OPEN_QUOTE : COMMA_QUOTE, otherName(members), COLON]
          alternatives.push([...name, this.value(additional), rest])
        }
        return [...alternatives, [CLOSE_BRACE]]
      })
    known.set(key, frame)
    return frame
  }
}

interface MemberPlace {
  readonly index: number
  /** Whether no member is written yet. */
  readonly first: boolean
}

function nameOf({ name }: Member, first: boolean): Frame {
  return Literal.of(`${first ? '' : ','}${JSON.stringify(name)}:`)
}

function otherName(members: readonly Member[]): Frame {
  if (members.length === 0) return ANY_STRING_BODY
  // Without the opening quote; the closing one is part of what must not come.
  return new OtherName(members.map(({ name }) => jsonBytes(name).subarray(1)))
}
