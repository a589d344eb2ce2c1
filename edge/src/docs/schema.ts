/** The part of a JSON Schema that the reference page shows. */
export interface Schema {
  $ref?: string
  type?: string | string[]
  description?: string
  enum?: unknown[]
  const?: unknown
  anyOf?: Schema[]
  oneOf?: Schema[]
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: boolean | Schema
  items?: Schema
  prefixItems?: Schema[]
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  minItems?: number
  maxItems?: number
  minLength?: number
  maxLength?: number
  'x-not-offered'?: boolean
}

/** One line of a table of fields. */
export interface Field {
  /** As an error would name it, lists with empty brackets: `messages[].role`. */
  path: string
  /** In words, `#Name` standing for a reference. */
  type: string
  required: boolean
  description: string
}

export const nameOfReference = (reference: string): string => reference.split('/').at(-1) ?? ''

/** All fields below an object, those of objects inside it too, parents first. */
export function listFields(schema: Schema, prefix = ''): Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const path = prefix + name
    const field = {
      path,
      type: describeType(property),
      required: schema.required?.includes(name) ?? false,
      description: property.description ?? '',
    }
    return property['x-not-offered'] === true ? [] : [field, ...listInside(property, path)]
  })
}

/** Names of the fields that are accepted without effect only. */
export function listNotOffered(schema: Schema): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) =>
    property['x-not-offered'] === true ? [name] : [],
  )
}

function listInside(schema: Schema, path: string): Field[] {
  if (schema.properties !== undefined) return listFields(schema, `${path}.`)
  if (schema.items !== undefined) return listInside(schema.items, `${path}[]`)
  return variantsOf(schema).flatMap((variant) => listInside(variant, path))
}

function variantsOf({ anyOf, oneOf }: Schema): Schema[] {
  return [...(anyOf ?? []), ...(oneOf ?? [])]
}

/** A schema's type in a few words. */
export function describeType(schema: Schema): string {
  if (schema.$ref !== undefined) return `#${nameOfReference(schema.$ref)}`
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum !== undefined) {
    return schema.enum.map((value) => JSON.stringify(value)).join(' or ')
  }
  const variants = variantsOf(schema)
  if (variants.length > 0) {
    return [...new Set(variants.map(describeType))].join(' or ')
  }
  const { type = 'any' } = schema
  if (Array.isArray(type)) return type.join(' or ')
  switch (type) {
    case 'array':
      return describeList(schema)
    case 'integer':
    case 'number':
      return `${type}${describeRange(schema)}`
    case 'string':
      return schema.maxLength === undefined ? type : `${type} to ${schema.maxLength} characters`
    default:
      return type
  }
}

function describeList({ items, prefixItems }: Schema): string {
  const inner = prefixItems?.[0] ?? items
  if (inner === undefined) return 'list'
  return `${prefixItems === undefined ? 'list of' : 'list of one'} ${describeType(inner)}`
}

function describeRange({ minimum, exclusiveMinimum, maximum }: Schema): string {
  const isReal = (bound: number | undefined) =>
    bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER
  const low = isReal(minimum) ? `${minimum}` : undefined
  const above = isReal(exclusiveMinimum) ? `above ${exclusiveMinimum}` : undefined
  const from = low ?? above
  if (isReal(maximum)) return from === undefined ? ` to ${maximum}` : ` ${from} to ${maximum}`
  return low === undefined ? (above === undefined ? '' : ` ${above}`) : ` from ${low}`
}
