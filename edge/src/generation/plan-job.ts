import { ApiError, assertNever } from '@setblock/shared'
import type { Decoding, Job } from '@setblock/shared'
import type { EdgeLimits } from '../limits.ts'
import type { EdgeModel } from '../models/model-source.ts'
import type { GenerationRequest, Prompt } from '../requests/generation-request.ts'

export interface PlanOptions {
  request: GenerationRequest
  model: EdgeModel
  limits: EdgeLimits
  /** The job's own id. */
  id: string
  /** Used when the request brings no seed. */
  seed: number
}

/** Makes the job for a request: prompt encoded, defaults filled in from the model's manifest. */
export function planJob({ request, model, limits, id, seed }: PlanOptions): Job {
  const { manifest } = model
  const tokenIds = encodePrompt(request.prompt, model, limits)
  const { sampling } = request
  return {
    id,
    model: manifest.id,
    tokenIds,
    decoding: planDecoding(request, model),
    sampling: {
      // Greedy unless asked otherwise: it is what the model's accuracy was measured with.
      temperature: sampling.temperature ?? 0,
      topP: sampling.topP ?? 1,
      topK: sampling.topK ?? 0,
      seed: sampling.seed ?? seed,
    },
    maxTokens: planMaxTokens(request, tokenIds.length, {
      contextLength: manifest.contextLength,
      limits,
    }),
    stopTokenIds: manifest.eosTokenIds,
    deadlineMs: limits.deadlineMsMax,
  }
}

/** Token ids of a prompt that leaves room for at least one more token. */
function encodePrompt(prompt: Prompt, model: EdgeModel, limits: EdgeLimits): number[] {
  const { contextLength } = model.manifest
  const param = prompt.kind === 'messages' ? 'messages' : 'prompt'
  const refuse = (size: string) =>
    new ApiError(
      'context_length_exceeded',
      `${param}: has ${size}, and the model's context is ${contextLength} tokens`,
      { param },
    )

  const characters = countCharacters(prompt)
  const charactersMax = Math.min(
    limits.promptCharactersMax,
    contextLength * model.tokenizer.longestToken,
  )
  // Before encoding, which takes a second for a text of this length that cannot fit anyway.
  if (characters > charactersMax) throw refuse(`${characters} characters`)

  const tokenIds = toTokenIds(prompt, model)
  if (tokenIds.length >= Math.min(contextLength, limits.promptTokensMax + 1)) {
    throw refuse(`${tokenIds.length} tokens`)
  }
  return tokenIds
}

function countCharacters(prompt: Prompt): number {
  switch (prompt.kind) {
    case 'messages':
      return prompt.messages.reduce((sum, { content }) => sum + content.length, 0)
    case 'text':
      return prompt.text.length
    case 'tokens':
      return 0
    default:
      return assertNever(prompt, 'prompt')
  }
}

function toTokenIds(prompt: Prompt, { manifest, tokenizer, encodeChat }: EdgeModel): number[] {
  switch (prompt.kind) {
    case 'messages':
      return encodeChat(prompt.messages)
    case 'text':
      return [manifest.bosTokenId, ...tokenizer.encodeText(prompt.text)]
    case 'tokens': {
      const bad = prompt.tokenIds.find(
        (id) => id >= manifest.architecture.vocabularySize || id === manifest.maskTokenId,
      )
      if (bad !== undefined) {
        throw new ApiError('invalid_request', `prompt: ${bad} is no token of this model's text`, {
          param: 'prompt',
        })
      }
      return prompt.tokenIds
    }
    default:
      return assertNever(prompt, 'prompt')
  }
}

function planMaxTokens(
  { maxTokens }: GenerationRequest,
  promptTokens: number,
  { contextLength, limits }: { contextLength: number; limits: EdgeLimits },
): number {
  const room = contextLength - promptTokens
  if (maxTokens === undefined) return Math.min(room, limits.maxTokensMax)
  const { value, field } = maxTokens
  if (value > room) {
    throw new ApiError(
      'context_length_exceeded',
      `${field}: ${promptTokens} prompt tokens and ${value} more exceed the model's context of ` +
        `${contextLength} tokens`,
      { param: field },
    )
  }
  return value
}

function planDecoding({ decoding }: GenerationRequest, { manifest }: EdgeModel): Decoding {
  const { defaults, maxBlockLength } = manifest
  const { gamma, rule, blockLength } = decoding
  const wantsSbd = gamma !== undefined || rule !== undefined
  const mode = decoding.mode ?? (wantsSbd ? 'sbd' : defaults.mode)
  const refuse = (param: string, why: string) =>
    new ApiError('invalid_request', `${param}: ${why}`, { param })

  if (mode !== 'sbd' && gamma !== undefined) throw refuse('gamma', `has no meaning in mode ${mode}`)
  if (mode !== 'sbd' && rule !== undefined) throw refuse('rule', `has no meaning in mode ${mode}`)
  if (mode === 'ntp' && blockLength !== undefined) {
    throw refuse('block_length', 'has no meaning in mode ntp')
  }
  if (blockLength !== undefined && blockLength > maxBlockLength) {
    throw refuse('block_length', `this model's blocks have at most ${maxBlockLength} tokens`)
  }
  return {
    mode,
    gamma: gamma ?? defaults.gamma,
    rule: rule ?? defaults.rule,
    blockLength: blockLength ?? defaults.blockLength,
  }
}
