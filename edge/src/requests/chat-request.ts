import { ApiError, limits } from '@setblock/shared'
import * as z from 'zod'
import { closedObject, commonFields, neutral, nullable, openAiFields } from './fields.ts'
import { fromCommonFields, parseBody, readIncludeUsage } from './generation-request.ts'
import type { GenerationRequest } from './generation-request.ts'
import { messagesSchema } from './messages.ts'

const chatRequestSchema = closedObject({
  ...commonFields,
  ...openAiFields,
  messages: messagesSchema,
  max_completion_tokens: nullable(z.int().min(1).max(limits.maxTokensMax)),
  logprobs: neutral(false),
  top_logprobs: neutral(0),
  response_format: neutral({ type: 'text' }),
  modalities: neutral(['text']),
  prediction: neutral(),
  tools: neutral([]),
  tool_choice: neutral('none', 'auto'),
  parallel_tool_calls: neutral(true, false),
  functions: neutral([]),
  function_call: neutral('none', 'auto'),
})

/** Body of `POST /v1/chat/completions`. */
export function parseChatRequest(body: unknown): GenerationRequest {
  const parsed = parseBody(chatRequestSchema, body)
  const common = fromCommonFields(parsed)
  const { max_completion_tokens: maxCompletionTokens } = parsed
  if (common.maxTokens !== undefined && maxCompletionTokens !== undefined) {
    throw new ApiError(
      'invalid_request',
      'max_tokens: give it or max_completion_tokens, not both',
      {
        param: 'max_tokens',
      },
    )
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
  }
}
