import { limits } from '@setblock/shared'
import * as z from 'zod'
import {
  closedObject,
  commonFields,
  maxTokensField,
  neutral,
  nullable,
  openAiFields,
  refuseField,
} from './fields.ts'
import { fromCommonFields, parseBody, readIncludeUsage } from './generation-request.ts'
import type { GenerationRequest } from './generation-request.ts'
import { messagesSchema } from './messages.ts'
import { responseFormatSchema, toJsonSchema } from './response-format.ts'

export const chatRequestSchema = closedObject({
  ...commonFields,
  ...openAiFields,
  messages: messagesSchema,
  max_completion_tokens: maxTokensField,
  logprobs: nullable(z.boolean()).meta({ description: 'Return log probabilities of the tokens.' }),
  top_logprobs: nullable(z.int().min(0).max(limits.logprobsMax)).meta({
    description: 'And of this many of the most likely tokens at each position. Only with logprobs.',
  }),
  response_format: responseFormatSchema,
  modalities: neutral(['text']),
  prediction: neutral(),
  tools: neutral([]),
  tool_choice: neutral('none', 'auto'),
  parallel_tool_calls: neutral(true, false),
  functions: neutral([]),
  function_call: neutral('none', 'auto'),
})

type ChatBody = z.output<typeof chatRequestSchema>

/** Body of `POST /v1/chat/completions`. */
export function parseChatRequest(body: unknown): GenerationRequest {
  const parsed = parseBody(chatRequestSchema, body)
  const common = fromCommonFields(parsed)
  const { max_completion_tokens: maxCompletionTokens } = parsed
  if (common.maxTokens !== undefined && maxCompletionTokens !== undefined) {
    throw refuseField('max_tokens', 'give it or max_completion_tokens, not both')
  }
  return {
    ...common,
    maxTokens:
      maxCompletionTokens === undefined
        ? common.maxTokens
        : { value: maxCompletionTokens, field: 'max_completion_tokens' },
    prompt: { kind: 'messages', messages: parsed.messages },
    includeUsage: readIncludeUsage(parsed),
    reveals: false,
    choices: parsed.n ?? 1,
    logprobs: readLogprobs(parsed),
    jsonSchema: toJsonSchema(parsed.response_format),
  }
}

function readLogprobs({ logprobs, top_logprobs: top }: ChatBody): number | undefined {
  if (logprobs === true) return top ?? 0
  if (top !== undefined && top > 0) throw refuseField('top_logprobs', 'needs logprobs to be true')
  return undefined
}
