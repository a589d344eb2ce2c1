import { DecimalFrame } from './decimal-frame.ts'
import type { StringLanguage } from './language/string-language.ts'

/** What JSON text may stand at a place: a JSON Schema, reduced to what the automaton needs. */
export type Rule =
  /** One of these texts. */
  | { readonly kind: 'literals'; readonly texts: readonly string[] }
  /** Lengths in characters (code points). */
  | { readonly kind: 'string'; readonly min: number; readonly max: number }
  /** Strings of patterns, formats and lengths together. */
  | { readonly kind: 'language'; readonly language: StringLanguage }
  | { readonly kind: 'decimal'; readonly range: DecimalRange }
  | {
      readonly kind: 'array'
      /** Of the leading elements, one by one; `items` is that of all others, undefined if there may be none. */
      readonly prefix: readonly RuleNode[]
      readonly items: RuleNode | undefined
      readonly min: number
      readonly max: number
    }
  | {
      readonly kind: 'object'
      /** In the order in which they are written. */
      readonly members: readonly Member[]
      /** Of members by other names, which come last; undefined if there may be none. */
      readonly additional: RuleNode | undefined
    }
  | { readonly kind: 'choice'; readonly options: readonly RuleNode[] }

export interface Member {
  readonly name: string
  readonly node: RuleNode
  readonly required: boolean
}

/** Numbers are written without exponent, as multiples of 10^-fractionDigits; bounds in these units, both included. */
export interface DecimalRange {
  readonly low: bigint
  readonly high: bigint
  readonly fractionDigits: number
  /** Only multiples of this many units, from 1. */
  readonly step: bigint
}

/** A rule that other rules refer to, itself included; set once all of the schema is known. */
export class RuleNode {
  rule: Rule = { kind: 'choice', options: [] }
  /** Bytes of the shortest text; infinite where no finite text satisfies the rule. */
  least = Number.POSITIVE_INFINITY
}

/** Bytes of a JSON string or name, its quotes included. */
export function jsonBytes(text: string): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(text))
}

/** Finds the shortest text of every rule: the least fixed point, from infinity downwards. */
export function settleLeast(nodes: readonly RuleNode[]): void {
  for (let changed = true; changed;) {
    changed = false
    // What a rule is made of was mostly added behind it.
    for (const node of nodes.toReversed()) {
      const least = leastOf(node.rule)
      if (least < node.least) {
        node.least = least
        changed = true
      }
    }
  }
}

function leastOf(rule: Rule): number {
  switch (rule.kind) {
    case 'literals':
      return Math.min(...rule.texts.map((text) => new TextEncoder().encode(text).length))
    case 'string':
      return 2 + rule.min
    case 'language':
      return 2 + rule.language.least(rule.language.start)
    case 'decimal':
      return new DecimalFrame(rule.range).least
    case 'array':
      return 1 + leastElements(rule, 0)
    case 'object':
      return 1 + leastMembers(rule.members, 0, true)
    case 'choice':
      return Math.min(Number.POSITIVE_INFINITY, ...rule.options.map(({ least }) => least))
  }
}

type ArrayRule = Extract<Rule, { kind: 'array' }>

export function elementRule({ prefix, items }: ArrayRule, index: number): RuleNode | undefined {
  return index < prefix.length ? prefix[index] : items
}

/** Bytes from behind `count` elements to the end of the array, its bracket included. */
export function leastElements(rule: ArrayRule, count: number): number {
  let bytes = 1
  const prefixEnd = Math.min(rule.min, rule.prefix.length)
  for (let index = count; index < prefixEnd; index += 1) {
    bytes += (rule.prefix[index] as RuleNode).least + (index > 0 ? 1 : 0)
  }
  const others = rule.min - Math.max(count, rule.prefix.length)
  if (others <= 0) return bytes
  const commas = count === 0 && rule.prefix.length === 0 ? others - 1 : others
  return bytes + others * (rule.items?.least ?? Number.POSITIVE_INFINITY) + commas
}

/** Bytes from before member `index` to the end of the object, its brace included. */
export function leastMembers(members: readonly Member[], index: number, first: boolean): number {
  const required = members.slice(index).filter((member) => member.required)
  const commas = Math.max(0, required.length - (first ? 1 : 0))
  const bytes = required.map(({ name, node }) => jsonBytes(name).length + 1 + node.least)
  return bytes.reduce((sum, length) => sum + length, 1 + commas)
}

export type PlainRule = Exclude<Rule, { kind: 'choice' }>

/** Whether a finite text satisfies the rule. */
export const hasText = ({ least }: RuleNode): boolean => least < Number.POSITIVE_INFINITY

/** The rules a node stands for, choices inside choices opened; a choice may contain itself. */
export function plainRules(node: RuleNode, seen = new Set<RuleNode>()): PlainRule[] {
  if (seen.has(node) || !hasText(node)) return []
  seen.add(node)
  const { rule } = node
  return rule.kind === 'choice'
    ? rule.options.flatMap((option) => plainRules(option, seen))
    : [rule]
}
