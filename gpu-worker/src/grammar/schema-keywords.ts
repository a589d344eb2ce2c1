import { schemaError } from './schema-error.ts'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type Schema = { readonly [keyword: string]: Json }

/** Keywords that say nothing about which text is valid. */
export const ANNOTATIONS = [
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  '$schema',
  '$id',
  '$comment',
  '$defs',
  'definitions',
]
const OF_TYPE = {
  object: ['properties', 'required', 'additionalProperties'],
  array: ['items', 'prefixItems', 'minItems', 'maxItems'],
  string: ['minLength', 'maxLength', 'pattern', 'format', 'contentEncoding', 'allOf'],
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
} as const
const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'] as const
export type TypeName = (typeof TYPES)[number]
export const KEYWORDS: ReadonlySet<string> = new Set([
  ...ANNOTATIONS,
  ...Object.values(OF_TYPE).flat(),
  'type',
  'enum',
  'const',
  'anyOf',
  '$ref',
])

/** One schema's place: where it is, as a JSON pointer, and how deep. */
export interface Place {
  readonly path: string
  readonly depth: number
}

export function isTypeBeside(alone: string, keyword: string): boolean {
  return keyword === 'type' && (alone === 'enum' || alone === 'const')
}

/** The types a schema names, or those its other keywords speak of; undefined if it says nothing. */
export function readTypes(schema: Schema, place: Place): readonly TypeName[] | undefined {
  if (schema.type !== undefined) {
    const names = Array.isArray(schema.type) ? schema.type : [schema.type]
    const known = names.every((name) => TYPES.includes(name as TypeName))
    if (!known || names.length === 0)
      throw schemaError(at(place, 'type').path, 'there is no such type')
    return [...new Set(names as TypeName[])]
  }
  const spoken = (Object.keys(OF_TYPE) as (keyof typeof OF_TYPE)[]).filter((type) =>
    OF_TYPE[type].some((keyword) => schema[keyword] !== undefined),
  )
  return spoken.length === 0 ? undefined : spoken
}

export function readCounts(
  schema: Schema,
  low: string,
  high: string,
  place: Place,
): [number, number] {
  const read = (keyword: string, absent: number): number => {
    const value = schema[keyword]
    if (value === undefined) return absent
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
    throw schemaError(at(place, keyword).path, 'must be a whole number from 0')
  }
  const [min, max] = [read(low, 0), read(high, Number.POSITIVE_INFINITY)]
  if (min > max) throw schemaError(at(place, low).path, `is above ${high}`)
  return [min, max]
}

export function listOf(value: Json | undefined, { path }: Place, countMax: number): Json[] {
  if (Array.isArray(value) && value.length > 0 && value.length <= countMax) return value
  throw schemaError(path, `must be a list of 1 to ${countMax}`)
}

export function isOfType(value: Json, type: TypeName): boolean {
  switch (type) {
    case 'object':
      return isObject(value)
    case 'array':
      return Array.isArray(value)
    case 'integer':
      return Number.isInteger(value)
    case 'null':
      return value === null
    default:
      return typeof value === type
  }
}

export function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function at({ path, depth }: Place, ...steps: (string | number)[]): Place {
  const escaped = steps.map((step) => String(step).replaceAll('~', '~0').replaceAll('/', '~1'))
  return { path: [path, ...escaped].join('/'), depth: depth + 1 }
}
