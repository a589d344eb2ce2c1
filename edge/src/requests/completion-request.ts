import { limits } from '@setblock/shared'
import * as z from 'zod'
import { edgeLimits } from '../limits.ts'
import {
  closedObject,
  commonFields,
  neutral,
  nullable,
  openAiFields,
  textSchema,
} from './fields.ts'
import { fromCommonFields, parseBody, readIncludeUsage } from './generation-request.ts'
import type { GenerationRequest, Prompt } from './generation-request.ts'

const tokenIds = z
  .array(z.int().min(0).max(limits.tokenIdMax))
  .min(1)
  .max(limits.promptTokensMax)
  .transform((ids): Prompt => ({ kind: 'tokens', tokenIds: ids }))
const text = textSchema.transform((value): Prompt => ({ kind: 'text', text: value }))

const promptSchema = z
  .union(
    [
      text,
      tokenIds,
      z.tuple([text]).transform(([only]) => only),
      z.tuple([tokenIds]).transform(([only]) => only),
    ],
    { error: 'must be one string or one list of token ids' },
  )
  .meta({ description: 'One text, or one list of token ids; the list form of one is accepted.' })

export const completionRequestSchema = closedObject({
  ...commonFields,
  ...openAiFields,
  prompt: promptSchema,
  best_of: neutral(1),
  echo: neutral(false),
  logprobs: nullable(z.int().min(0).max(edgeLimits.completionLogprobsMax)).meta({
    description:
      'Return log probabilities of the tokens, and of this many of the most likely ones.',
  }),
  suffix: neutral(''),
})

/** Body of `POST /v1/completions`. */
export function parseCompletionRequest(body: unknown): GenerationRequest {
  const parsed = parseBody(completionRequestSchema, body)
  return {
    ...fromCommonFields(parsed),
    prompt: parsed.prompt,
    includeUsage: readIncludeUsage(parsed),
    reveals: false,
    choices: parsed.n ?? 1,
    logprobs: parsed.logprobs,
    jsonSchema: undefined,
  }
}
