import { finishReasonSchema, modeSchema, ruleSchema } from '@setblock/shared'
import * as z from 'zod'

/** What a client is answered with, field by field; nothing else is ever in an answer. */
const count = z.int().min(0)
const nats = z.number().min(0)
const milliseconds = z.number().min(0)
const seconds = z.int().meta({ description: 'Unix time in seconds.' })
const logprob = z.number().max(0).meta({ description: 'Natural logarithm.' })

const draftCounts = z.strictObject({ drafted: count, accepted: count })

export const usageSchema = z
  .strictObject({
    prompt_tokens: count,
    completion_tokens: count.meta({ description: 'Of all choices together.' }),
    total_tokens: count,
    prompt_tokens_details: z.strictObject({
      cached_tokens: count.meta({ description: 'Prompt tokens that needed no forward.' }),
    }),
    completion_tokens_details: z.strictObject({
      reasoning_tokens: z.literal(0),
      accepted_prediction_tokens: z.literal(0),
      rejected_prediction_tokens: z.literal(0),
    }),
    forward_passes: count.meta({ description: 'prefill and decode together. An extension.' }),
    forward_passes_details: z.strictObject({
      prefill: count.nullable().meta({ description: 'null when a stop string ended the text.' }),
      decode: count,
    }),
    tokens_per_forward: z
      .number()
      .min(0)
      .meta({ description: 'completion_tokens by decode forwards; 1 is next-token decoding.' }),
    effective_gamma: nats.nullable().meta({
      description: 'Mean entropy bound over the decode forwards, in nats; null outside mode sbd.',
    }),
    queue_ms: milliseconds,
    prefill_ms: milliseconds.nullable(),
    decode_ms: milliseconds.nullable(),
    rows: z
      .strictObject({ total: count, wasted: count })
      .optional()
      .meta({ description: 'Rows of all forwards, and those that served nothing.' }),
    drafts: draftCounts
      .extend({ positions: z.array(draftCounts) })
      .optional()
      .meta({
        description: 'Mode verified: drafted and accepted tokens, also by place in a draft.',
      }),
  })
  .meta({ id: 'Usage' })

const tokenChance = z.strictObject({
  token: z.string().meta({ description: 'Half a character is spelled as \\xe2\\x80.' }),
  logprob,
  bytes: z.array(z.int().min(0).max(255)).nullable(),
})

const chatLogprobsSchema = z
  .strictObject({
    content: z.array(tokenChance.extend({ top_logprobs: z.array(tokenChance) })),
    refusal: z.null(),
  })
  .meta({ id: 'ChatLogprobs' })

const sessionVersion = z
  .strictObject({ id: z.string(), version: count })
  .optional()
  .meta({ description: 'The session as this turn left it; durable by now.' })

const answerHead = {
  id: z.string(),
  created: seconds,
  model: z.string(),
  system_fingerprint: z.string().meta({ description: 'Changes when the weights do.' }),
}

export const chatCompletionSchema = z
  .strictObject({
    ...answerHead,
    object: z.literal('chat.completion'),
    choices: z.array(
      z.strictObject({
        index: count,
        message: z.strictObject({
          role: z.literal('assistant'),
          content: z.string(),
          refusal: z.null(),
        }),
        logprobs: chatLogprobsSchema.nullable(),
        finish_reason: finishReasonSchema,
      }),
    ),
    usage: usageSchema,
    session: sessionVersion,
  })
  .meta({ id: 'ChatCompletion' })

const chunkUsage = usageSchema.nullish().meta({
  description: 'Only with stream_options.include_usage: null until the last chunk.',
})

export const chatChunkSchema = z
  .strictObject({
    ...answerHead,
    object: z.literal('chat.completion.chunk'),
    choices: z
      .array(
        z.strictObject({
          index: count,
          delta: z.strictObject({
            role: z.literal('assistant').optional(),
            content: z.string().optional(),
          }),
          logprobs: chatLogprobsSchema.nullable(),
          finish_reason: finishReasonSchema.nullable(),
        }),
      )
      .meta({ description: 'One choice; none in the chunk that holds the usage.' }),
    usage: chunkUsage,
    session: sessionVersion,
  })
  .meta({ id: 'ChatCompletionChunk' })

const completionChoice = z.strictObject({
  index: count,
  text: z.string(),
  logprobs: z
    .strictObject({
      tokens: z.array(z.string()),
      token_logprobs: z.array(logprob),
      top_logprobs: z.array(z.record(z.string(), logprob)),
      text_offset: z.array(count),
    })
    .nullable(),
  finish_reason: finishReasonSchema.nullable(),
})

export const completionSchema = z
  .strictObject({
    ...answerHead,
    object: z.literal('text_completion'),
    choices: z.array(completionChoice),
    usage: usageSchema,
    session: sessionVersion,
  })
  .meta({ id: 'Completion' })

export const completionChunkSchema = z
  .strictObject({
    ...answerHead,
    object: z.literal('text_completion'),
    choices: z.array(completionChoice),
    usage: chunkUsage,
    session: sessionVersion,
  })
  .meta({ id: 'CompletionChunk' })

const decodingSchema = z
  .strictObject({
    mode: modeSchema,
    block_length: z.int().optional(),
    gamma: nats.optional(),
    rule: ruleSchema.optional(),
    latency_budget_ms: z.int().optional(),
  })
  .meta({ id: 'Decoding', description: 'How the text was decoded.' })

const revealFields = {
  block: count.meta({ description: 'The block, from 0.' }),
  step: count.meta({ description: 'The decode forward that revealed the tokens, from 0.' }),
  positions: z.array(count),
  tokens: z.array(
    z.strictObject({
      position: count.meta({ description: 'The first generated token is at prompt_tokens.' }),
      id: count,
      text: z.string(),
      entropy: nats.meta({ description: 'Of the model’s distribution at the position, in nats.' }),
      logprob: logprob.optional(),
      top_logprobs: z.array(z.strictObject({ id: count, text: z.string(), logprob })).optional(),
    }),
  ),
}

export const generationSchema = z
  .strictObject({
    object: z.literal('generation'),
    ...answerHead,
    decoding: decodingSchema,
    seed: count,
    text: z.string(),
    finish_reason: finishReasonSchema,
    usage: usageSchema,
    session: sessionVersion,
    reveals: z.array(z.strictObject(revealFields)).optional(),
  })
  .meta({ id: 'Generation' })

const errorFields = {
  error: z.strictObject({
    message: z.string(),
    type: z.string(),
    param: z
      .string()
      .nullable()
      .meta({ description: 'The field at fault, such as messages[0].content.' }),
    code: z.string(),
  }),
}

export const errorSchema = z.strictObject(errorFields).meta({ id: 'Error' })

export const generationEventSchema = z
  .discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('start'),
      ...answerHead,
      decoding: decodingSchema,
      seed: count,
      prompt_tokens: count,
      cached_tokens: count,
    }),
    z.strictObject({ type: z.literal('reveal'), ...revealFields }),
    z.strictObject({ type: z.literal('text'), delta: z.string() }),
    z.strictObject({
      type: z.literal('end'),
      finish_reason: finishReasonSchema,
      usage: usageSchema,
      session: sessionVersion,
    }),
    z.strictObject({ type: z.literal('error'), ...errorFields }),
  ])
  .meta({
    id: 'GenerationEvent',
    description: 'One start, then texts and reveals, then one end or error.',
  })

export const modelSchema = z
  .strictObject({
    id: z.string(),
    object: z.literal('model'),
    created: seconds,
    owned_by: z.string(),
    name: z.string(),
    context_length: count,
    max_block_length: count,
    defaults: z.strictObject({
      mode: modeSchema,
      gamma: nats,
      rule: ruleSchema,
      block_length: count,
      temperature: z.number(),
    }),
  })
  .meta({ id: 'Model' })

export const modelListSchema = z
  .strictObject({ object: z.literal('list'), data: z.array(modelSchema) })
  .meta({ id: 'ModelList' })

export const aliveSchema = z.strictObject({ status: z.literal('ok') })

export const readinessSchema = z.strictObject({
  status: z.enum(['ready', 'not-ready']),
  workers: z.strictObject({
    ready: count.meta({ description: 'Workers that take jobs.' }),
    refused: count.meta({
      description: 'Workers that would, but not from this edge: another secret, or another time.',
    }),
    total: count,
  }),
})

export const sessionSchema = z
  .strictObject({
    id: z.string(),
    object: z.literal('session'),
    version: count.meta({ description: 'Rises by one with every change.' }),
    tokens: count.meta({ description: 'Length of the history.' }),
    created_at: seconds,
    updated_at: seconds,
    expires_at: seconds,
  })
  .meta({ id: 'Session' })

export const sessionListSchema = z
  .strictObject({
    object: z.literal('list'),
    data: z.array(sessionSchema),
    has_more: z.boolean().meta({ description: 'List on after the last id.' }),
  })
  .meta({ id: 'SessionList' })

export const deletedSessionSchema = z
  .strictObject({ id: z.string(), object: z.literal('session'), deleted: z.literal(true) })
  .meta({ id: 'DeletedSession' })
