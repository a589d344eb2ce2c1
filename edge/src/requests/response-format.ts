import * as z from 'zod'
import { closedObject, nullable, textSchema } from './fields.ts'
import { jsonSchemaSchema } from './json-schema.ts'

/** Any object: what `json_object` asks for. */
const ANY_OBJECT = JSON.stringify({ type: 'object' })

const formatSchema = z.discriminatedUnion('type', [
  closedObject({ type: z.literal('text') }),
  closedObject({ type: z.literal('json_object') }),
  closedObject({
    type: z.literal('json_schema'),
    json_schema: closedObject({
      name: z
        .string()
        .max(64)
        .regex(/^[\w-]+$/, 'must be letters, digits, - and _'),
      description: nullable(textSchema.max(1024)),
      schema: jsonSchemaSchema,
      strict: nullable(z.boolean()).meta({
        description: 'Either way the answer is valid: there is no weaker form here.',
      }),
    }),
  }),
])

export const responseFormatSchema = nullable(formatSchema).meta({
  description:
    'text, or JSON: any object (json_object), or what a JSON Schema accepts (json_schema).',
})

/** JSON text of the JSON Schema that an answer in this format must satisfy. */
export function toJsonSchema(
  format: z.output<typeof formatSchema> | undefined,
): string | undefined {
  switch (format?.type) {
    case undefined:
    case 'text':
      return undefined
    case 'json_object':
      return ANY_OBJECT
    case 'json_schema':
      return JSON.stringify(format.json_schema.schema)
  }
}
