import {
  ApiError,
  blockLengthSchema,
  gammaInputSchema,
  GAMMA_PRESETS,
  limits,
} from '@setblock/shared'
import { modelIdSchema, modeSchema, onDisconnectSchema } from '@setblock/shared'
import { ruleSchema, sessionIdSchema } from '@setblock/shared'
import * as z from 'zod'
import { edgeLimits } from '../limits.ts'

/** Marks an issue as "known but not offered", which has an error code of its own. */
export const UNSUPPORTED = { unsupported: true } as const

/** A refusal of one field for a reason that its schema alone cannot see. */
export function refuseField(param: string, why: string): ApiError {
  return new ApiError('invalid_request', `${param}: ${why}`, { param })
}

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
    .meta({
      description: 'Not offered: only values without effect are accepted.',
      enum: [...values, null],
      'x-not-offered': true,
    })
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
const label = z.string().max(512)
/** Accepted and without effect: for someone else's bookkeeping, nothing here depends on it. */
const labelField = () =>
  nullable(label).meta({ description: 'A label for your own use; without effect here.' })

export const maxTokensField = nullable(z.int().min(1).max(limits.maxTokensMax)).meta({
  description: 'Most tokens to generate. Left out: as many as the context has room for.',
})

/** Everything all three ways to generate have in common. */
export const commonFields = {
  model: modelIdSchema.meta({
    description: 'Id of a model that GET /v1/models lists.',
    examples: ['setblock-nano'],
  }),
  stream: nullable(z.boolean()).meta({ description: 'Answer with server-sent events.' }),
  max_tokens: maxTokensField,
  temperature: nullable(z.number().min(0).max(limits.temperatureMax)).meta({
    description: 'Left out or 0: greedy decoding, which ignores top_p, top_k and seed.',
  }),
  top_p: nullable(z.number().gt(0).max(1)).meta({
    description: 'Draw from the smallest set of tokens with at least this probability.',
  }),
  top_k: nullable(z.int().min(0).max(limits.topKMax)).meta({
    description: 'Draw from this many of the most likely tokens; 0 is no bound. An extension.',
  }),
  seed: nullable(z.int().min(0).max(limits.seedMax)).meta({
    description: 'The same seed and system_fingerprint replay a sampled answer.',
  }),
  stop: nullable(
    z.union(
      [stopString.transform((text) => [text]), z.array(stopString).max(limits.stopStringsMax)],
      {
        error:
          `must be a string or up to ${limits.stopStringsMax} strings ` +
          `of 1 to ${limits.stopStringCharactersMax} characters`,
      },
    ),
  ).meta({ description: 'The text ends before the first of these strings.' }),
  gamma: gammaInputSchema.optional().meta({
    description:
      'Entropy in nats that the tokens revealed by one forward pass may have together, or a ' +
      `preset: ${Object.entries(GAMMA_PRESETS)
        .map(([name, nats]) => `${name} ${nats}`)
        .join(', ')}. Selects mode sbd. An extension.`,
  }),
  mode: modeSchema.optional().meta({
    description:
      'How forwards become tokens: verified is lossless and reveals several at a time, sbd ' +
      'reveals several within gamma, ntp one at a time. An extension.',
  }),
  block_length: blockLengthSchema
    .optional()
    .meta({ description: 'Tokens guessed at once. Not in mode ntp. An extension.' }),
  rule: ruleSchema.optional().meta({
    description:
      'What gamma bounds, and which tokens of a block may go first: prefix reveals from the left, ' +
      'the others in any order. Selects mode sbd. An extension.',
  }),
  latency_budget_ms: nullable(z.int().min(1).max(limits.deadlineMsMax)).meta({
    description:
      'Milliseconds in which max_tokens tokens shall be there: gamma rises from its start as far ' +
      'as that needs. Selects mode sbd. An extension.',
  }),
  session: nullable(sessionIdSchema).meta({
    description:
      'Continue this session, which is created when it is first named. Send the whole ' +
      'conversation, or the new turn alone with append. An extension.',
  }),
  append: nullable(z.boolean()).meta({
    description: 'The prompt follows what the session holds. Only with session. An extension.',
  }),
  on_disconnect: nullable(onDisconnectSchema).meta({
    description:
      'What a client that leaves in the middle of a turn leaves of it: nothing (rollback, the ' +
      'default), the text so far (keep), or the finished turn (continue). An extension.',
  }),
}

/** Fields of the OpenAI API, the same in both of its forms. */
export const openAiFields = {
  stream_options: nullable(
    closedObject({
      include_usage: nullable(z.boolean()).meta({
        description: 'End the stream with a chunk that holds the usage.',
      }),
      include_obfuscation: neutral(false),
    }),
  ).meta({ description: 'Only with stream.' }),
  user: labelField(),
  safety_identifier: labelField(),
  prompt_cache_key: labelField(),
  metadata: nullable(z.record(label, label)).meta({
    description: 'Labels for your own use; without effect here.',
  }),
  n: nullable(z.int().min(1).max(edgeLimits.choicesMax)).meta({
    description: 'Answers to the same prompt. Answer i is drawn with seed + i.',
  }),
  frequency_penalty: neutral(0),
  presence_penalty: neutral(0),
  logit_bias: neutral({}),
  service_tier: neutral('auto', 'default'),
  store: neutral(false),
}
