import { limits } from '@setblock/shared'
import * as z from 'zod'
import { edgeLimits } from '../limits.ts'
import { closedObject, textSchema } from './fields.ts'

/**
 * The part of JSON Schema (2020-12) that an answer can be held to while it is generated. A keyword
 * outside of it is refused by its path, since an ignored one would be a broken promise.
 */
export interface JsonSchemaNode {
  type?: string | string[] | undefined
  enum?: unknown[] | undefined
  const?: unknown
  anyOf?: JsonSchemaNode[] | undefined
  $ref?: string | undefined
  $defs?: Record<string, JsonSchemaNode> | undefined
  definitions?: Record<string, JsonSchemaNode> | undefined
  properties?: Record<string, JsonSchemaNode> | undefined
  required?: string[] | undefined
  additionalProperties?: boolean | JsonSchemaNode | undefined
  items?: JsonSchemaNode | undefined
  prefixItems?: JsonSchemaNode[] | undefined
  [keyword: string]: unknown
}

const count = z.int().min(0).optional()
const bound = z.number().optional()
const text = textSchema.optional()
const ofStrings = { minLength: count, maxLength: count, pattern: text, format: text }
const flag = z.boolean().optional()
const typeName = z.enum(['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'])
const some = (): z.ZodType<JsonSchemaNode[]> => z.array(nodeSchema).min(1)
const named = (): z.ZodType<Record<string, JsonSchemaNode>> =>
  z.record(textSchema.min(1), nodeSchema)

const nodeSchema: z.ZodType<JsonSchemaNode> = closedObject({
  type: z.union([typeName, z.array(typeName).min(1)]).optional(),
  enum: z.array(z.unknown()).min(1).optional(),
  const: z.unknown().optional(),
  get anyOf() {
    return some().optional()
  },
  $ref: z
    .string()
    .regex(/^#(?:\/(?:\$defs|definitions)\/[^/~]+)?$/, 'must be # or #/$defs/<name>')
    .optional(),
  get $defs() {
    return named().optional()
  },
  get definitions() {
    return named().optional()
  },
  get properties() {
    return named().optional()
  },
  required: z.array(textSchema).optional(),
  get additionalProperties() {
    return z.union([z.boolean(), nodeSchema]).optional()
  },
  get items() {
    return nodeSchema.optional()
  },
  get prefixItems() {
    return some().optional()
  },
  minItems: count,
  maxItems: count,
  ...ofStrings,
  contentEncoding: text,
  allOf: z
    .array(closedObject({ type: z.literal('string').optional(), ...ofStrings }))
    .min(1)
    .meta({ description: 'Of strings: patterns, formats and lengths that hold together.' })
    .optional(),
  minimum: bound,
  maximum: bound,
  exclusiveMinimum: bound,
  exclusiveMaximum: bound,
  multipleOf: z.number().positive().optional(),
  title: text,
  description: text,
  default: z.unknown().optional(),
  examples: z.array(z.unknown()).optional(),
  deprecated: flag,
  readOnly: flag,
  writeOnly: flag,
  $schema: text,
  $comment: text,
}).meta({
  id: 'JsonSchema',
  description: 'The keywords of JSON Schema 2020-12 that an answer can be held to.',
})

/** A JSON Schema from a client: known keywords, references that lead somewhere, bounded size. */
export const jsonSchemaSchema = nodeSchema.superRefine((root, context) => {
  const problem = findProblem(root)
  if (problem !== undefined) context.addIssue({ code: 'custom', ...problem })
})

interface Problem {
  path: (string | number)[]
  message: string
}

function findProblem(root: JsonSchemaNode): Problem | undefined {
  const { jsonSchemaDepthMax, jsonSchemaNodesMax } = edgeLimits
  if (JSON.stringify(root).length > limits.jsonSchemaCharactersMax) {
    return { path: [], message: `may have ${limits.jsonSchemaCharactersMax} characters of JSON` }
  }
  const definitions = new Set(
    (['$defs', 'definitions'] as const).flatMap((keyword) =>
      Object.keys(root[keyword] ?? {}).map((name) => `#/${keyword}/${name}`),
    ),
  )
  const open: { node: JsonSchemaNode; path: Problem['path']; depth: number }[] = [
    { node: root, path: [], depth: 1 },
  ]
  for (let seen = 1; open.length > 0; seen++) {
    const { node, path, depth } = open.pop()!
    if (depth > jsonSchemaDepthMax) {
      return { path, message: `is nested deeper than ${jsonSchemaDepthMax} schemas` }
    }
    if (seen > jsonSchemaNodesMax) {
      return { path: [], message: `may have ${jsonSchemaNodesMax} schemas in it` }
    }
    const problem = checkNode(node, definitions)
    if (problem !== undefined) return { ...problem, path: [...path, ...problem.path] }
    for (const [steps, inner] of childrenOf(node)) {
      open.push({ node: inner, path: [...path, ...steps], depth: depth + 1 })
    }
  }
  return undefined
}

function checkNode(node: JsonSchemaNode, definitions: ReadonlySet<string>): Problem | undefined {
  const { $ref, required, properties, additionalProperties } = node
  if ($ref !== undefined && $ref !== '#' && !definitions.has($ref)) {
    return { path: ['$ref'], message: 'leads nowhere' }
  }
  const known = new Set(Object.keys(properties ?? {}))
  const missing = required?.findIndex((name) => !known.has(name)) ?? -1
  if (missing >= 0 && additionalProperties === false) {
    return { path: ['required', missing], message: 'is none of the properties' }
  }
  return undefined
}

function* childrenOf(node: JsonSchemaNode): Generator<[Problem['path'], JsonSchemaNode]> {
  for (const keyword of ['$defs', 'definitions', 'properties'] as const) {
    for (const [name, inner] of Object.entries(node[keyword] ?? {})) yield [[keyword, name], inner]
  }
  for (const keyword of ['anyOf', 'prefixItems'] as const) {
    for (const [index, inner] of (node[keyword] ?? []).entries()) yield [[keyword, index], inner]
  }
  for (const keyword of ['items', 'additionalProperties'] as const) {
    const inner = node[keyword]
    if (typeof inner === 'object') yield [[keyword], inner]
  }
}
