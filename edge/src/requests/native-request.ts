import { ApiError } from '@setblock/shared'
import * as z from 'zod'
import { closedObject, commonFields, nullable, textSchema } from './fields.ts'
import { fromCommonFields, parseBody } from './generation-request.ts'
import type { GenerationRequest, Prompt } from './generation-request.ts'
import { messagesSchema } from './messages.ts'

const nativeRequestSchema = closedObject({
  ...commonFields,
  prompt: textSchema.optional(),
  messages: messagesSchema.optional(),
  reveals: nullable(z.boolean()),
})

/** Body of `POST /v1/generate`. */
export function parseNativeRequest(body: unknown): GenerationRequest {
  const parsed = parseBody(nativeRequestSchema, body)
  return {
    ...fromCommonFields(parsed),
    prompt: readPrompt(parsed.prompt, parsed.messages),
    includeUsage: true,
    reveals: parsed.reveals ?? false,
  }
}

function readPrompt(
  text: string | undefined,
  messages: Extract<Prompt, { kind: 'messages' }>['messages'] | undefined,
): Prompt {
  if (text !== undefined && messages === undefined) return { kind: 'text', text }
  if (messages !== undefined && text === undefined) return { kind: 'messages', messages }
  throw new ApiError('invalid_request', 'prompt: give either prompt or messages', {
    param: 'prompt',
  })
}
