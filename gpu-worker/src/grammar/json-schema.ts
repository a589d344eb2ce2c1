import { readRange } from './number-range.ts'
import { hasText, plainRules, RuleNode, settleLeast, type Member, type Rule } from './rule.ts'
import { schemaError } from './schema-error.ts'
import { StringRules } from './string-rules.ts'
import {
  ANNOTATIONS,
  at,
  isObject,
  isOfType,
  isTypeBeside,
  KEYWORDS,
  listOf,
  readCounts,
  readTypes,
  type Json,
  type Place,
  type Schema,
  type TypeName,
} from './schema-keywords.ts'

/** Schemas inside schemas: each is at least one rule. */
const NODES_MAX = 2048
/** Members of an object and options of a choice: what may begin at one place is followed side by side. */
const ALTERNATIVES_MAX = 128
/** Values of an enum, which are followed together. */
const VALUES_MAX = 1024
const DEPTH_MAX = 64

/**
 * Reads a JSON Schema (2020-12) as a rule for compact JSON text: members in the order of the schema, no whitespace.
 * Every text of the rule is valid against the schema, not every valid text is one of the rule: an object has no members
 * beyond its `properties` unless it says so or has none; numbers have no exponent.
 *
 * @throws ApiError invalid_request naming the place: a keyword that is not enforced here, or a schema without any text.
 */
export function readJsonSchema(text: string): RuleNode {
  const reader = new SchemaReader(parse(text))
  const root = reader.read()
  settleLeast(reader.nodes)
  if (!hasText(root)) throw schemaError('', 'no finite value satisfies it')
  for (const node of reader.nodes) {
    if (plainRules(node).length > ALTERNATIVES_MAX) {
      throw schemaError('', `there are more than ${ALTERNATIVES_MAX} options for one value`)
    }
  }
  return root
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    throw schemaError('', 'is no JSON')
  }
}

class SchemaReader {
  readonly nodes: RuleNode[] = []
  readonly #root: Json
  /** By the pointer they are known under: a schema referred to twice is one rule, and may refer to itself. */
  readonly #read = new Map<string, RuleNode>()
  readonly #strings = new StringRules()
  #any: RuleNode | undefined

  constructor(root: Json) {
    this.#root = root
  }

  read(): RuleNode {
    return this.#node(this.#root, { path: '', depth: 0 })
  }

  #node(schema: Json | undefined, place: Place): RuleNode {
    const known = this.#read.get(place.path)
    if (known !== undefined) return known
    const node = this.#add()
    this.#read.set(place.path, node)
    if (place.depth > DEPTH_MAX) throw schemaError(place.path, `is nested deeper than ${DEPTH_MAX}`)
    if (schema === true) node.rule = { kind: 'choice', options: [this.#anything()] }
    else if (isObject(schema)) node.rule = this.#rule(schema, place)
    else throw schemaError(place.path, 'there must be a schema that something satisfies')
    return node
  }

  #add(rule?: Rule): RuleNode {
    const node = new RuleNode()
    if (rule !== undefined) node.rule = rule
    if (this.nodes.push(node) > NODES_MAX)
      throw schemaError('', `has more than ${NODES_MAX} schemas`)
    return node
  }

  #rule(schema: Schema, place: Place): Rule {
    const asserting = Object.keys(schema).filter((keyword) => !ANNOTATIONS.includes(keyword))
    const unknown = asserting.find((keyword) => !KEYWORDS.has(keyword))
    if (unknown !== undefined)
      throw schemaError(at(place, unknown).path, 'keyword is not enforced here, found')
    for (const alone of ['$ref', 'anyOf', 'enum', 'const'] as const) {
      if (schema[alone] === undefined) continue
      const other = asserting.find((keyword) => keyword !== alone && !isTypeBeside(alone, keyword))
      if (other !== undefined)
        throw schemaError(place.path, `${alone} and ${other} together are not enforced`)
      return this.#alone(alone, schema, place)
    }
    const types = readTypes(schema, place)
    // The only keywords that could say something of other types too.
    const ofStrings = (['format', 'allOf'] as const).find(
      (keyword) => schema[keyword] !== undefined,
    )
    if (ofStrings !== undefined && types?.includes('string') !== true) {
      throw schemaError(at(place, ofStrings).path, 'is enforced for strings alone: the keyword')
    }
    if (types === undefined) return { kind: 'choice', options: [this.#anything()] }
    const rules = types.map((type) => this.#typed(type, schema, place))
    if (rules.length === 1) return rules[0] as Rule
    return { kind: 'choice', options: rules.map((rule) => this.#add(rule)) }
  }

  #alone(keyword: '$ref' | 'anyOf' | 'enum' | 'const', schema: Schema, place: Place): Rule {
    const value = schema[keyword] as Json
    switch (keyword) {
      case '$ref':
        return { kind: 'choice', options: [this.#reference(value, place)] }
      case 'anyOf': {
        const options = listOf(value, at(place, keyword), ALTERNATIVES_MAX)
        return {
          kind: 'choice',
          options: options.map((option, index) => this.#node(option, at(place, keyword, index))),
        }
      }
      case 'enum':
      case 'const': {
        const types = schema.type === undefined ? undefined : readTypes(schema, place)
        const values = keyword === 'const' ? [value] : listOf(value, at(place, keyword), VALUES_MAX)
        const allowed = values.filter((each) => types?.some((type) => isOfType(each, type)) ?? true)
        return {
          kind: 'literals',
          texts: [...new Set(allowed.map((each) => JSON.stringify(each)))],
        }
      }
    }
  }

  #reference(target: Json, place: Place): RuleNode {
    if (typeof target !== 'string' || !/^#(?:\/|$)/.test(target)) {
      throw schemaError(
        at(place, '$ref').path,
        'only references inside the schema are followed, not the one',
      )
    }
    const steps = decodeURIComponent(target.slice(1)).split('/').slice(1)
    let schema: Json | undefined = this.#root
    for (const step of steps) {
      const key = step.replaceAll('~1', '/').replaceAll('~0', '~')
      const inside: Json | undefined = schema
      schema =
        isObject(inside) && Object.hasOwn(inside, key)
          ? inside[key]
          : Array.isArray(inside)
            ? inside[Number(key)]
            : undefined
    }
    if (schema === undefined)
      throw schemaError(at(place, '$ref').path, 'leads nowhere: the reference')
    const path = steps.map((step) => `/${step}`).join('')
    return this.#node(schema, { path, depth: place.depth + 1 })
  }

  #typed(type: TypeName, schema: Schema, place: Place): Rule {
    switch (type) {
      case 'object':
        return this.#object(schema, place)
      case 'array':
        return this.#array(schema, place)
      case 'string':
        return this.#strings.read(schema, place)
      case 'number':
      case 'integer':
        return { kind: 'decimal', range: readRange(schema, type, place.path) }
      case 'boolean':
        return { kind: 'literals', texts: ['true', 'false'] }
      case 'null':
        return { kind: 'literals', texts: ['null'] }
    }
  }

  #object(schema: Schema, place: Place): Rule {
    const { properties = {}, required = [], additionalProperties } = schema
    if (!isObject(properties)) throw schemaError(at(place, 'properties').path, 'must be an object')
    if (!Array.isArray(required) || !required.every((name) => typeof name === 'string')) {
      throw schemaError(at(place, 'required').path, 'must be a list of names')
    }
    const open = additionalProperties ?? Object.keys(properties).length === 0
    const additional =
      open === false ? undefined : this.#node(open, at(place, 'additionalProperties'))
    const declared: Member[] = Object.entries(properties).map(([name, inner]) => ({
      name,
      node: this.#node(inner, at(place, 'properties', name)),
      required: required.includes(name),
    }))
    const others = required
      .filter((name) => !Object.hasOwn(properties, name))
      .map((name): Member => {
        if (additional === undefined)
          throw schemaError(
            at(place, 'required').path,
            `${JSON.stringify(name)} is none of the properties`,
          )
        return { name, node: additional, required: true }
      })
    const members = [...declared, ...others]
    if (members.length > ALTERNATIVES_MAX)
      throw schemaError(at(place, 'properties').path, `has more than ${ALTERNATIVES_MAX} members`)
    return { kind: 'object', members, additional }
  }

  #array(schema: Schema, place: Place): Rule {
    const { prefixItems, items = true } = schema
    const prefix =
      prefixItems === undefined ? [] : listOf(prefixItems, at(place, 'prefixItems'), NODES_MAX)
    const [min, max] = readCounts(schema, 'minItems', 'maxItems', place)
    return {
      kind: 'array',
      prefix: prefix.map((inner, index) => this.#node(inner, at(place, 'prefixItems', index))),
      items: items === false ? undefined : this.#node(items, at(place, 'items')),
      min,
      max,
    }
  }

  /** Any JSON value: one rule for all places. */
  #anything(): RuleNode {
    if (this.#any !== undefined) return this.#any
    const any = (this.#any = this.#add())
    const bounds = { min: 0, max: Number.POSITIVE_INFINITY }
    const rules: Rule[] = [
      { kind: 'object', members: [], additional: any },
      { kind: 'array', prefix: [], items: any, ...bounds },
      { kind: 'string', ...bounds },
      { kind: 'decimal', range: readRange({}, 'number', '') },
      { kind: 'literals', texts: ['true', 'false', 'null'] },
    ]
    any.rule = { kind: 'choice', options: rules.map((rule) => this.#add(rule)) }
    return any
  }
}
