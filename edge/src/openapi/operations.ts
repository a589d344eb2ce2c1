import type { ErrorCode } from '@setblock/shared'
import * as z from 'zod'
import type { ZodOpenApiOperationObject, ZodOpenApiPathsObject } from 'zod-openapi'
import { RATE_LIMIT_HEADERS } from '../metering/rate-limit-headers.ts'
import { chatRequestSchema } from '../requests/chat-request.ts'
import { completionRequestSchema } from '../requests/completion-request.ts'
import { nativeRequestSchema } from '../requests/native-request.ts'
import * as answers from './answers.ts'
import { errorResponses, EVERYWHERE, WITH_KEY } from './errors.ts'
import { EXAMPLES } from './examples.ts'
import { keepHeaders, keptHeaders } from './stream-operations.ts'

const GENERATION_ERRORS: readonly ErrorCode[] = [
  'invalid_request',
  'invalid_json',
  'unsupported_parameter',
  'context_length_exceeded',
  'model_not_found',
  'request_too_large',
  'unsupported_media_type',
  'idempotency_key_reused',
  'events_expired',
  'insufficient_scope',
  'rate_limit_exceeded',
  'insufficient_quota',
  'overloaded',
  'worker_unavailable',
  'worker_draining',
  'model_mismatch',
  'deadline_exceeded',
  'session_not_found',
  'session_busy',
  'session_conflict',
  'session_limit_exceeded',
  'session_corrupt',
  'session_unavailable',
]

const answerHeaders = z.object({
  'x-request-id': z.string().meta({ description: 'Yours, if you sent a harmless one.' }),
  'openai-processing-ms': z.string().meta({ description: 'Until the headers of the answer.' }),
  ...keptHeaders,
  ...Object.fromEntries(
    RATE_LIMIT_HEADERS.map((name) => [
      name,
      z.string().meta({ description: 'Of your key, by the minute; durations like 1s or 6m0s.' }),
    ]),
  ),
})

interface Generation {
  id: string
  summary: string
  description: string
  request: { schema: z.ZodType; example: object }
  answer: { schema: z.ZodType; example: object }
  /** Of one event of a stream, and how the stream runs. */
  event: { schema: z.ZodType; description: string }
}

function generation(options: Generation): { post: ZodOpenApiOperationObject } {
  const { id, summary, description, request, answer, event } = options
  const post: ZodOpenApiOperationObject = {
    operationId: id,
    tags: ['Generation'],
    summary,
    description,
    requestParams: { header: keepHeaders },
    requestBody: {
      required: true,
      content: { 'application/json': { schema: request.schema, example: request.example } },
    },
    responses: {
      '200': {
        description: 'The whole answer, or with `stream` its events.',
        headers: answerHeaders,
        content: {
          'application/json': { schema: answer.schema, example: answer.example },
          'text/event-stream': {
            schema: z.string().meta({
              description: `${event.description} Lines that begin with a colon are comments.`,
            }),
            'x-event-schema': { $ref: `#/components/schemas/${event.schema.meta()?.id}` },
          },
        },
      },
      ...errorResponses([...GENERATION_ERRORS, ...WITH_KEY, ...EVERYWHERE]),
    },
  }
  return { post }
}

const LOSSLESS =
  'Without `mode`, `gamma`, `rule` or `latency_budget_ms` the text is that of next-token decoding, ' +
  'in fewer forward passes. '

export const generationPaths: ZodOpenApiPathsObject = {
  '/v1/chat/completions': generation({
    id: 'createChatCompletion',
    summary: 'Answer a conversation',
    description:
      `OpenAI’s chat completions. ${LOSSLESS}` +
      'A parameter of OpenAI’s API that is not served is refused by its name, never ignored.',
    request: {
      schema: chatRequestSchema.meta({ id: 'ChatCompletionRequest' }),
      example: EXAMPLES.chatRequest,
    },
    answer: { schema: answers.chatCompletionSchema, example: EXAMPLES.chatCompletion },
    event: {
      schema: answers.chatChunkSchema,
      description:
        'Each event is `data: ` and one ChatCompletionChunk: the role, contents, a finish reason ' +
        'for each choice, the usage if asked for, then `data: [DONE]`. A failure is an event ' +
        'with `error`, the last one, without `[DONE]`.',
    },
  }),
  '/v1/completions': generation({
    id: 'createCompletion',
    summary: 'Continue a text',
    description: `OpenAI’s completions, for one prompt. ${LOSSLESS}`,
    request: {
      schema: completionRequestSchema.meta({ id: 'CompletionRequest' }),
      example: EXAMPLES.completionRequest,
    },
    answer: { schema: answers.completionSchema, example: EXAMPLES.completion },
    event: {
      schema: answers.completionChunkSchema,
      description:
        'Each event is `data: ` and one CompletionChunk: texts, a finish reason for each choice, ' +
        'the usage if asked for, then `data: [DONE]`.',
    },
  }),
  '/v1/generate': generation({
    id: 'generate',
    summary: 'Generate and watch tokens being revealed',
    description:
      'The native form: the same dials, and with `reveals` every token at the moment it is ' +
      'revealed, with position, step and entropy. A revealed token never changes.',
    request: {
      schema: nativeRequestSchema.meta({ id: 'GenerationRequest' }),
      example: EXAMPLES.generationRequest,
    },
    answer: { schema: answers.generationSchema, example: EXAMPLES.generation },
    event: {
      schema: answers.generationEventSchema,
      description:
        'Each event is `data: ` and one GenerationEvent; `end` or `error` is the last. `text` ' +
        'deltas are the text below the first hole, `reveal` events come as they happen.',
    },
  }),
}

const json = (schema: z.ZodType, description: string) => ({
  description,
  content: { 'application/json': { schema } },
})

export const otherPaths: ZodOpenApiPathsObject = {
  '/v1/models': {
    get: {
      operationId: 'listModels',
      tags: ['Models'],
      summary: 'List the models',
      responses: {
        '200': json(answers.modelListSchema, 'All models that a worker has loaded.'),
        ...errorResponses(['worker_unavailable', ...WITH_KEY, ...EVERYWHERE]),
      },
    },
  },
  '/v1/models/{id}': {
    get: {
      operationId: 'getModel',
      tags: ['Models'],
      summary: 'Describe a model',
      requestParams: { path: z.object({ id: z.string() }) },
      responses: {
        '200': json(answers.modelSchema, 'The model.'),
        ...errorResponses(['model_not_found', 'worker_unavailable', ...WITH_KEY, ...EVERYWHERE]),
      },
    },
  },
  '/healthz': {
    get: {
      operationId: 'isAlive',
      tags: ['Health'],
      summary: 'Is the edge alive?',
      security: [],
      responses: { '200': json(answers.aliveSchema, 'It is.') },
    },
  },
  '/readyz': {
    get: {
      operationId: 'isReady',
      tags: ['Health'],
      summary: 'Can a request be served now?',
      security: [],
      responses: {
        '200': json(answers.readinessSchema, 'A worker takes jobs.'),
        '503': json(answers.readinessSchema, 'None does.'),
      },
    },
  },
}
