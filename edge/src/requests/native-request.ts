import { limits } from '@setblock/shared'
import * as z from 'zod'
import { closedObject, commonFields, nullable, textSchema, refuseField } from './fields.ts'
import { fromCommonFields, parseBody } from './generation-request.ts'
import type { GenerationRequest, Prompt } from './generation-request.ts'
import { messagesSchema } from './messages.ts'
import { responseFormatSchema, toJsonSchema } from './response-format.ts'

export const nativeRequestSchema = closedObject({
  ...commonFields,
  prompt: textSchema.optional().meta({ description: 'Text to continue. Or give messages.' }),
  messages: messagesSchema.optional(),
  response_format: responseFormatSchema,
  reveals: nullable(z.boolean()).meta({
    description: 'Send every token when it is revealed, with its position, step and entropy.',
  }),
  logprobs: nullable(z.int().min(0).max(limits.logprobsMax)).meta({
    description:
      'Reveals carry the log probability of each token, and this many of the most likely ones. ' +
      'Only with reveals.',
  }),
})

/** Body of `POST /v1/generate`. */
export function parseNativeRequest(body: unknown): GenerationRequest {
  const parsed = parseBody(nativeRequestSchema, body)
  const reveals = parsed.reveals ?? false
  if (parsed.logprobs !== undefined && !reveals) {
    throw refuseField('logprobs', 'needs reveals to be true')
  }
  return {
    ...fromCommonFields(parsed),
    prompt: readPrompt(parsed.prompt, parsed.messages),
    includeUsage: true,
    reveals,
    choices: 1,
    logprobs: parsed.logprobs,
    jsonSchema: toJsonSchema(parsed.response_format),
  }
}

function readPrompt(
  text: string | undefined,
  messages: Extract<Prompt, { kind: 'messages' }>['messages'] | undefined,
): Prompt {
  if (text !== undefined && messages === undefined) return { kind: 'text', text }
  if (messages !== undefined && text === undefined) return { kind: 'messages', messages }
  throw refuseField('prompt', 'give either prompt or messages')
}
