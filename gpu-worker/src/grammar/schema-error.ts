import { ApiError } from '@setblock/shared'

/** A JSON Schema that no answer can be held to here; the message names the place in it. */
export function schemaError(path: string, what: string): ApiError {
  const place = path === '' ? '' : ` at ${path}`
  return new ApiError('invalid_request', `grammar.jsonSchema: ${what}${place}`, {
    param: 'grammar.jsonSchema',
  })
}
