import { ApiError, assertNever } from '@setblock/shared'
import type { Decoding, Job, JobSession } from '@setblock/shared'
import type { EdgeLimits } from '../limits.ts'
import type { EdgeModel } from '../models/model-source.ts'
import { refuseField } from '../requests/fields.ts'

import type { GenerationRequest, Prompt } from '../requests/generation-request.ts'
import type { SessionRequest } from '../requests/session-request.ts'

export interface PlanOptions {
  request: GenerationRequest
  model: EdgeModel
  limits: EdgeLimits
  /** The answer's own id. */
  id: string
  /** Used when the request brings no seed. */
  seed: number
}

/**
 * Makes the jobs for a request, one for each choice: prompt encoded, defaults filled in from the
 * model's manifest. The first choice is what the request would give alone.
 */
export function planJobs(options: PlanOptions): Job[] {
  const job = planJob(options)
  const { choices, session } = options.request
  if (session !== undefined && choices > 1) throw refuseField('n', 'a session has one continuation')
  if (choices === 1) return [job]
  return Array.from({ length: choices }, (_, index) => ({
    ...job,
    id: `${job.id}-${index}`,
    sampling: { ...job.sampling, seed: (job.sampling.seed + index) % (options.limits.seedMax + 1) },
  }))
}

function planJob({ request, model, limits, id, seed }: PlanOptions): Job {
  const { manifest } = model
  const { tokenIds, turnEndIds } = encodePrompt(request, model, limits)
  const { sampling, logprobs, jsonSchema } = request
  const { latencyBudgetMs } = request.decoding
  const job: Job = {
    id,
    model: manifest.id,
    tokenizerSha256: manifest.tokenizer.sha256,
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
  if (latencyBudgetMs !== undefined) job.latencyBudgetMs = latencyBudgetMs
  if (request.reveals) job.entropies = true
  if (logprobs !== undefined) job.logprobs = logprobs
  if (jsonSchema !== undefined) job.grammar = { jsonSchema }
  if (request.session !== undefined) job.session = planSession(request.session, request, turnEndIds)
  return job
}

function planSession(
  { id, append, ifVersion, onDisconnect }: SessionRequest,
  { maxTokens }: GenerationRequest,
  turnEndIds: number[],
): JobSession {
  const session: JobSession = { id, onDisconnect }
  if (append) session.append = { turnEndIds, fillContext: maxTokens === undefined }
  if (ifVersion !== undefined) session.ifVersion = ifVersion
  return session
}

/** The tokens of a prompt, and for an appended one those that end the turn before it. */
interface EncodedPrompt {
  tokenIds: number[]
  turnEndIds: number[]
}

/** Encodes a prompt that leaves room for at least one more token. */
function encodePrompt(
  { prompt, session }: GenerationRequest,
  model: EdgeModel,
  limits: EdgeLimits,
): EncodedPrompt {
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

  const encoded = session?.append === true ? toTurn(prompt, model) : toWhole(prompt, model)
  const { tokenIds } = encoded
  if (tokenIds.length >= Math.min(contextLength, limits.promptTokensMax + 1)) {
    throw refuse(`${tokenIds.length} tokens`)
  }
  return encoded
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

const toWhole = (prompt: Prompt, model: EdgeModel): EncodedPrompt => ({
  tokenIds: toTokenIds(prompt, model),
  turnEndIds: [],
})

/** A prompt that follows what a session holds: text goes on where it ends, messages as a new turn. */
function toTurn(prompt: Prompt, model: EdgeModel): EncodedPrompt {
  if (prompt.kind === 'messages') return model.encodeChat.following(prompt.messages)
  if (prompt.kind === 'tokens') return toWhole(prompt, model)
  return { tokenIds: model.tokenizer.encodeText(prompt.text), turnEndIds: [] }
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
  const { gamma, rule, blockLength, latencyBudgetMs } = decoding
  const sbdOnly = { gamma, rule, latency_budget_ms: latencyBudgetMs }
  const wantsSbd = Object.values(sbdOnly).some((value) => value !== undefined)
  const mode = decoding.mode ?? (wantsSbd ? 'sbd' : defaults.mode)

  for (const [field, value] of Object.entries(sbdOnly)) {
    if (mode !== 'sbd' && value !== undefined) {
      throw refuseField(field, `has no meaning in mode ${mode}`)
    }
  }
  if (mode === 'ntp' && blockLength !== undefined) {
    throw refuseField('block_length', 'has no meaning in mode ntp')
  }
  if (blockLength !== undefined && blockLength > maxBlockLength) {
    throw refuseField('block_length', `this model's blocks have at most ${maxBlockLength} tokens`)
  }
  return {
    mode,
    gamma: gamma ?? defaults.gamma,
    rule: rule ?? defaults.rule,
    blockLength: blockLength ?? defaults.blockLength,
  }
}
