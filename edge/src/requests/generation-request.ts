import { parseWith } from '@setblock/shared'
import type { Mode, Rule } from '@setblock/shared'
import type * as z from 'zod'
import { readSession, type SessionRequest } from './session-request.ts'
import type { ChatMessage } from '../tokenizer/chat-template.ts'
import { refuseField, UNSUPPORTED, type commonFields } from './fields.ts'

export type Prompt =
  | { kind: 'messages'; messages: ChatMessage[] }
  | { kind: 'text'; text: string }
  | { kind: 'tokens'; tokenIds: number[] }

/** A request of any of the three forms, checked as far as that is possible without a model. */
export interface GenerationRequest {
  model: string
  prompt: Prompt
  stream: boolean
  /** Whether a stream ends with a chunk that holds the usage. */
  includeUsage: boolean
  /** Whether tokens are also sent as they are revealed, out of order. */
  reveals: boolean
  /** How many answers, each a job of its own. */
  choices: number
  /** Log probabilities are wanted, and of this many likely tokens beside the chosen one. */
  logprobs: number | undefined
  /** JSON text of the JSON Schema that the text must satisfy. */
  jsonSchema: string | undefined
  /** The session that it continues. */
  session: SessionRequest | undefined
  /** The request's own bound, and the field it came from. */
  maxTokens: { value: number; field: string } | undefined
  stopStrings: string[]
  decoding: {
    mode: Mode | undefined
    /** Nats. */
    gamma: number | undefined
    rule: Rule | undefined
    blockLength: number | undefined
    latencyBudgetMs: number | undefined
  }
  sampling: {
    temperature: number | undefined
    topP: number | undefined
    topK: number | undefined
    seed: number | undefined
  }
}

/** Parses a body; a field that is not offered is told apart from one with a wrong value. */
export function parseBody<Schema extends z.ZodType>(schema: Schema, body: unknown) {
  const result = schema.safeParse(body)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const unsupported =
    issue?.code === 'unrecognized_keys' ||
    (issue?.code === 'custom' && issue.params?.['unsupported'] === UNSUPPORTED.unsupported)
  return parseWith(schema, body, unsupported ? 'unsupported_parameter' : 'invalid_request')
}

type CommonBody = z.output<z.ZodObject<typeof commonFields>>

/** The part of a request that is read the same way in all three forms. */
export function fromCommonFields(
  body: CommonBody,
): Pick<
  GenerationRequest,
  'model' | 'stream' | 'session' | 'maxTokens' | 'stopStrings' | 'decoding' | 'sampling'
> {
  return {
    model: body.model,
    stream: body.stream ?? false,
    session: readSession(body),
    maxTokens:
      body.max_tokens === undefined ? undefined : { value: body.max_tokens, field: 'max_tokens' },
    stopStrings: body.stop ?? [],
    decoding: {
      mode: body.mode,
      gamma: body.gamma,
      rule: body.rule,
      blockLength: body.block_length,
      latencyBudgetMs: body.latency_budget_ms,
    },
    sampling: {
      temperature: body.temperature,
      topP: body.top_p,
      topK: body.top_k,
      seed: body.seed,
    },
  }
}

/** `stream_options` of a stream that is none would be ignored, so it is refused. */
export function readIncludeUsage(body: {
  stream?: boolean | undefined
  stream_options?: { include_usage?: boolean | undefined } | undefined
}): boolean {
  if (body.stream_options !== undefined && body.stream !== true) {
    throw refuseField('stream_options', 'needs stream to be true')
  }
  return body.stream_options?.include_usage ?? false
}
