import { ApiError } from '@setblock/shared'
import { readJsonSchema } from './json-schema.ts'
import type { RuleNode } from './rule.ts'

/** Schemas whose rules are kept. The same ones come again and again; reading one with patterns takes milliseconds. */
const SCHEMAS_MAX = 64

/** Rules of the schemas that came last, and refusals, which may have taken as long to find. */
export class SchemaRules {
  /** In order of use, the latest last. */
  readonly #known = new Map<string, RuleNode | ApiError>()

  /** @throws ApiError invalid_request naming the place in the schema. */
  read(jsonSchema: string): RuleNode {
    const found = this.#known.get(jsonSchema) ?? readOrRefuse(jsonSchema)
    this.#known.delete(jsonSchema)
    this.#known.set(jsonSchema, found)
    const [oldest] = this.#known.keys()
    if (this.#known.size > SCHEMAS_MAX && oldest !== undefined) this.#known.delete(oldest)
    if (found instanceof ApiError) throw found
    return found
  }
}

function readOrRefuse(jsonSchema: string): RuleNode | ApiError {
  try {
    return readJsonSchema(jsonSchema)
  } catch (error) {
    if (error instanceof ApiError) return error
    throw error
  }
}
