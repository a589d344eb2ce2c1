import { blockLengthSchema, gammaInputSchema, limits, modeSchema } from '@setblock/shared'
import { modelIdSchema, ruleSchema } from '@setblock/shared'
import * as z from 'zod'

/** Marks an issue as "known but not offered", which has an error code of its own. */
export const UNSUPPORTED = { unsupported: true } as const

/** A field that OpenAI clients may send as null to mean that it is absent. */
export function nullable<Schema extends z.ZodType>(schema: Schema) {
  return schema.nullish().transform((value) => value ?? undefined)
}

/** A field of the OpenAI API that is not offered: only values without effect are accepted. */
export function neutral(...values: readonly unknown[]) {
  const accepted = new Set(values.map((value) => JSON.stringify(value)))
  return z
    .unknown()
    .optional()
    .refine(
      (value) => value === undefined || value === null || accepted.has(JSON.stringify(value)),
      {
        error: 'this parameter is not supported',
        params: UNSUPPORTED,
      },
    )
}

/** An object whose unknown keys are refused by name. */
export function closedObject<Shape extends z.core.$ZodShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? 'this parameter is not supported' : undefined,
  })
}

/** Text that UTF-8 can carry: JSON escapes can spell half a surrogate pair, which it cannot. */
export const textSchema = z.string().refine((text) => text.isWellFormed(), {
  error: 'must be well-formed Unicode',
})

const stopString = textSchema.min(1).max(limits.stopStringCharactersMax)
const maxTokens = z.int().min(1).max(limits.maxTokensMax)
const label = z.string().max(512)

/** Everything all three ways to generate have in common. */
export const commonFields = {
  model: modelIdSchema,
  stream: nullable(z.boolean()),
  max_tokens: nullable(maxTokens),
  temperature: nullable(z.number().min(0).max(limits.temperatureMax)),
  top_p: nullable(z.number().gt(0).max(1)),
  top_k: nullable(z.int().min(0).max(limits.topKMax)),
  seed: nullable(z.int().min(0).max(limits.seedMax)),
  stop: nullable(
    z.union(
      [stopString.transform((text) => [text]), z.array(stopString).max(limits.stopStringsMax)],
      {
        error:
          `must be a string or up to ${limits.stopStringsMax} strings ` +
          `of 1 to ${limits.stopStringCharactersMax} characters`,
      },
    ),
  ),
  gamma: gammaInputSchema.optional(),
  mode: modeSchema.optional(),
  block_length: blockLengthSchema.optional(),
  rule: ruleSchema.optional(),
}

/** Fields of the OpenAI API, the same in both of its forms. */
export const openAiFields = {
  stream_options: nullable(
    closedObject({
      include_usage: nullable(z.boolean()),
      include_obfuscation: neutral(false),
    }),
  ),
  // Labels for someone else's bookkeeping: nothing here depends on them.
  user: nullable(label),
  safety_identifier: nullable(label),
  prompt_cache_key: nullable(label),
  metadata: nullable(z.record(label, label)),
  n: neutral(1),
  frequency_penalty: neutral(0),
  presence_penalty: neutral(0),
  logit_bias: neutral({}),
  service_tier: neutral('auto', 'default'),
  store: neutral(false),
}
