import * as fc from 'fast-check'
import type { Schema } from '../docs/schema.ts'
import { nameOfReference } from '../docs/schema.ts'
import { createOpenApiDocument } from '../openapi/document.ts'

const STRING_CHARACTERS_MAX = 40
const LIST_ITEMS_MAX = 4
const NESTING_MAX = 4

const components = (createOpenApiDocument().components?.schemas ?? {}) as unknown as Readonly<
  Record<string, Schema & { pattern?: string; propertyNames?: Schema }>
>

/** Bodies that a request schema of the OpenAPI document allows; some break rules it cannot say. */
export function validBodies(component: string): fc.Arbitrary<Record<string, unknown>> {
  return fromSchema(components[component]!, 0) as fc.Arbitrary<Record<string, unknown>>
}

function fromSchema(schema: Schema & { pattern?: string }, depth: number): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined) {
    return fromSchema(components[nameOfReference(schema.$ref)]!, depth)
  }
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  const variants = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])]
  if (variants.length > 0) {
    return fc.oneof(...variants.map((variant) => fromSchema(variant, depth)))
  }
  const { type } = schema
  if (Array.isArray(type)) {
    return fc.oneof(...type.map((one) => fromSchema({ ...schema, type: one }, depth)))
  }
  switch (type) {
    case 'object':
      return fromObject(schema, depth)
    case 'array':
      return fromList(schema, depth)
    case 'string':
      return fromString(schema)
    case 'integer':
      return fc.integer({ min: schema.minimum ?? -9, max: Math.min(schema.maximum ?? 99, 2 ** 31) })
    case 'number':
      return fromNumber(schema)
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}

function fromObject(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  const required = schema.required ?? []
  const properties = Object.entries(schema.properties ?? {}).filter(
    ([name]) => depth < NESTING_MAX || required.includes(name),
  )
  const { additionalProperties: rest } = schema
  if (properties.length === 0 && typeof rest === 'object') {
    return fc.dictionary(fc.string(), fromSchema(rest, depth + 1), { maxKeys: 3 })
  }
  const all = Object.fromEntries(
    properties.map(([name, inner]) => [name, fromSchema(inner, depth + 1)]),
  )
  const optional = properties.map(([name]) => name).filter((name) => !required.includes(name))
  // Few at a time: a body with every optional field breaks some rule between two of them.
  return fc
    .subarray(optional, { maxLength: Math.min(4, optional.length) })
    .chain((chosen) =>
      fc.record(
        Object.fromEntries([...required, ...chosen].flatMap((name) => [[name, all[name]!]])),
      ),
    )
}

function fromList(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  if (schema.prefixItems !== undefined) {
    return fc.tuple(...schema.prefixItems.map((item) => fromSchema(item, depth + 1)))
  }
  const minLength = schema.minItems ?? 0
  const maxLength = Math.max(minLength, Math.min(schema.maxItems ?? LIST_ITEMS_MAX, LIST_ITEMS_MAX))
  return fc.array(fromSchema(schema.items ?? {}, depth + 1), { minLength, maxLength })
}

function fromString(schema: Schema & { pattern?: string }): fc.Arbitrary<string> {
  if (schema.pattern !== undefined) {
    return fc.stringMatching(new RegExp(schema.pattern)).map((text) => text.slice(0, 60))
  }
  const minLength = schema.minLength ?? 0
  const maxLength = Math.min(schema.maxLength ?? STRING_CHARACTERS_MAX, STRING_CHARACTERS_MAX)
  return fc.string({ minLength, maxLength, unit: fc.constantFrom('a', ' ', 'é', '漢', '🎉', '\0') })
}

function fromNumber({ minimum, exclusiveMinimum, maximum }: Schema): fc.Arbitrary<number> {
  return fc.double({
    min: minimum ?? exclusiveMinimum ?? -99,
    max: maximum ?? 99,
    minExcluded: exclusiveMinimum !== undefined,
    noNaN: true,
  })
}

/** Values no field expects: wrong types, extremes, broken Unicode, deep and wide and long ones. */
export const junk: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(null, true, '', ' ', 0, -1, -0.5, 2 ** 31, 2 ** 53, 1e308, -1e308, '\0', [], {}),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.string({
    unit: fc.integer({ min: 0xd800, max: 0xdfff }).map((unit) => String.fromCharCode(unit)),
  }),
  fc.integer({ min: 1, max: 5_000 }).map((length) => 'x'.repeat(length)),
  fc.integer({ min: 1, max: 300 }).map((depth) => nest(depth)),
  fc.integer({ min: 1, max: 2_000 }).map((length) => Array.from({ length }, (_, index) => index)),
)

function nest(depth: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { a: value }
  return value
}

interface Edit {
  at: number
  kind: 'replace' | 'remove' | 'add'
  key: string
  value: unknown
}

const edits: fc.Arbitrary<Edit> = fc.record({
  at: fc.nat(10_000),
  kind: fc.constantFrom('replace', 'remove', 'add'),
  key: fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toString', 'n', 'seed')),
  value: junk,
})

/** Bodies of a component with some of their parts replaced, removed or added to. */
export function mutatedBodies(component: string): fc.Arbitrary<unknown> {
  return fc
    .tuple(validBodies(component), fc.array(edits, { minLength: 1, maxLength: 3 }))
    .map(([body, list]) => list.reduce(applyEdit, body as unknown))
}

function applyEdit(body: unknown, { at, kind, key, value }: Edit): unknown {
  const copy = structuredClone(body)
  const places = listPlaces(copy)
  const place = places[at % Math.max(1, places.length)]
  if (place === undefined) return value
  const { parent, name } = place
  if (kind === 'remove') delete parent[name]
  else define(parent, kind === 'add' && !Array.isArray(parent) ? key : name, value)
  return copy
}

/** As JSON.parse would: `__proto__` becomes a key like any other. */
function define(parent: object, name: string, value: unknown): void {
  Object.defineProperty(parent, name, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  })
}

function listPlaces(value: unknown): { parent: Record<string, unknown>; name: string }[] {
  if (typeof value !== 'object' || value === null) return []
  const parent = value as Record<string, unknown>
  return Object.keys(parent).flatMap((name) => [{ parent, name }, ...listPlaces(parent[name])])
}
