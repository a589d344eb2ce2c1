import * as z from 'zod'
import { errorCodeSchema } from './errors.ts'
import { gammaSchema } from './gamma.ts'
import { limits } from './limits.ts'
import { jobSessionSchema, sessionIdSchema } from './session.ts'

const count = z.int().min(0)
const milliseconds = z.number().min(0)
const tokenId = z.int().min(0).max(limits.tokenIdMax)
const name = (charactersMax: number) =>
  z
    .string()
    .max(charactersMax)
    .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]*$/, 'must be letters, digits, and . _ : - inside')

/** A digest in lower-case hexadecimal. */
export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits')
export const modelIdSchema = name(limits.modelIdCharactersMax)
export const modeSchema = z.enum(['verified', 'sbd', 'ntp'])
export const ruleSchema = z.enum(['entropy-bound', 'strict', 'threshold', 'confidence', 'prefix'])
export const blockLengthSchema = z.int().min(limits.blockLengthMin).max(limits.blockLengthMax)

/** How a job turns forwards into tokens; the modes and rules are explained in the README. */
export const decodingSchema = z.strictObject({
  mode: modeSchema,
  gamma: gammaSchema,
  blockLength: blockLengthSchema,
  rule: ruleSchema,
})

/** How a token is drawn from a row's logits. Temperature 0 is greedy and ignores the rest. */
export const samplingSchema = z.strictObject({
  temperature: z.number().min(0).max(limits.temperatureMax),
  topP: z.number().gt(0).max(1),
  /** 0 keeps every candidate that leaves the graph. */
  topK: z.int().min(0).max(limits.topKMax),
  seed: z.int().min(0).max(limits.seedMax),
})

/** One generation, as the edge asks a worker for it. Token ids only: text stays at the edge. */
export const jobSchema = z.strictObject({
  id: name(limits.jobIdCharactersMax),
  model: modelIdSchema,
  /** Of the file that made the ids: they mean nothing to a model with another one. */
  tokenizerSha256: sha256Schema.optional(),
  tokenIds: z.array(tokenId).min(1).max(limits.promptTokensMax),
  session: jobSessionSchema.optional(),
  decoding: decodingSchema,
  sampling: samplingSchema,
  maxTokens: z.int().min(1).max(limits.maxTokensMax),
  stopTokenIds: z.array(tokenId).max(limits.stopTokenIdsMax),
  /** Milliseconds from admission to the last event. */
  deadlineMs: z.int().min(1).max(limits.deadlineMsMax).optional(),
  /**
   * Milliseconds from admission in which `maxTokens` tokens shall be there. Mode sbd alone: the entropy bound rises
   * above `decoding.gamma` as far as the rest of the budget requires, and no further.
   */
  latencyBudgetMs: z.int().min(1).max(limits.deadlineMsMax).optional(),
  /** Whether reveal events carry entropies, of the raw distribution like the log probabilities. */
  entropies: z.boolean().optional(),
  /** Reveal events carry the log probability of each token, and of this many of the most likely ones beside it. */
  logprobs: z.int().min(0).max(limits.logprobsMax).optional(),
  /** The text must be JSON that this schema (JSON text of a JSON Schema) accepts. */
  grammar: z
    .strictObject({ jsonSchema: z.string().max(limits.jsonSchemaCharactersMax) })
    .optional(),
})

/** Of the raw distribution at the token's position, before temperature and truncation; nats. */
export const tokenLogprobsSchema = z.object({
  logprob: z.number().max(0),
  top: z.array(z.object({ tokenId, logprob: z.number().max(0) })).max(limits.logprobsMax),
})

/** How many draft tokens were checked, and how many of them were the causal model's own. */
const draftCountsSchema = z.object({ drafted: count, accepted: count })

export const finishReasonSchema = z.enum(['stop', 'length'])

/** What one job cost. */
export const usageSchema = z.object({
  promptTokens: count,
  /** Prompt tokens whose keys and values were there already. */
  cachedTokens: count,
  completionTokens: count,
  forwardPasses: z.object({
    /** Pure prompt chunks, before anything is read out. */
    prefill: count,
    /** Every forward that reads tokens out, the one with the last prompt chunk included. */
    decode: count,
  }),
  /** completionTokens / forwardPasses.decode, so exactly 1 for next-token decoding. */
  tokensPerForward: z.number().min(0),
  queueMs: milliseconds,
  prefillMs: milliseconds,
  decodeMs: milliseconds,
  /**
   * The entropy bound in force, in nats: the mean over the decode forwards, above `decoding.gamma` where a latency
   * budget required it. Null in modes that have none.
   */
  effectiveGamma: z.number().min(0).nullable(),
  /**
   * Rows (a token or a mask in one forward) computed for the job; wasted are those that neither cached a token nor
   * gave one that was revealed or drafted.
   */
  rows: z.object({ total: count, wasted: count }).optional(),
  /** Mode verified alone; `positions[i]` counts the tokens at place i of a draft. */
  drafts: draftCountsSchema
    .extend({ positions: z.array(draftCountsSchema).max(limits.blockLengthMax) })
    .optional(),
})

const startEventSchema = z.object({
  type: z.literal('start'),
  promptTokens: count,
  cachedTokens: count,
  queueMs: milliseconds,
})

const revealEventSchema = z
  .object({
    type: z.literal('reveal'),
    /** Both from 0 within the job: the block decoded, and the decode forward that revealed the tokens. */
    block: count,
    step: count,
    /** Absolute in the sequence: the first generated token sits at `promptTokens`. */
    positions: z.array(count).min(1).max(limits.revealPositionsMax),
    tokenIds: z.array(tokenId).min(1).max(limits.revealPositionsMax),
    /** Nats, position by position. */
    entropies: z.array(z.number().min(0)).max(limits.revealPositionsMax).optional(),
    logprobs: z.array(tokenLogprobsSchema).max(limits.revealPositionsMax).optional(),
  })
  .refine((event) => event.tokenIds.length === event.positions.length, {
    path: ['tokenIds'],
    error: 'must be as many as positions',
  })
  .refine(
    (event) => (event.entropies?.length ?? event.positions.length) === event.positions.length,
    {
      path: ['entropies'],
      error: 'must be as many as positions',
    },
  )
  .refine(
    (event) => (event.logprobs?.length ?? event.positions.length) === event.positions.length,
    {
      path: ['logprobs'],
      error: 'must be as many as positions',
    },
  )
  .refine((event) => new Set(event.positions).size === event.positions.length, {
    path: ['positions'],
    error: 'must not repeat',
  })

const endEventSchema = z.object({
  type: z.literal('end'),
  finishReason: finishReasonSchema,
  usage: usageSchema,
  /** The session as this turn left it; durable by the time this is sent. */
  session: z.object({ id: sessionIdSchema, version: z.int().min(1) }).optional(),
})

const errorEventSchema = z.object({
  type: z.literal('error'),
  code: errorCodeSchema,
  message: z.string(),
  retryable: z.boolean(),
})

/** What a worker tells about a job: one start, reveals, then exactly one end or error. */
export const jobEventSchema = z.discriminatedUnion('type', [
  startEventSchema,
  revealEventSchema,
  endEventSchema,
  errorEventSchema,
])

export type Mode = z.infer<typeof modeSchema>
export type Rule = z.infer<typeof ruleSchema>
export type Decoding = z.infer<typeof decodingSchema>
export type Sampling = z.infer<typeof samplingSchema>
export type TokenLogprobs = z.infer<typeof tokenLogprobsSchema>
export type Job = z.infer<typeof jobSchema>
export type FinishReason = z.infer<typeof finishReasonSchema>
export type Usage = z.infer<typeof usageSchema>
export type JobEvent = z.infer<typeof jobEventSchema>
export type StartEvent = z.infer<typeof startEventSchema>
export type RevealEvent = z.infer<typeof revealEventSchema>
export type EndEvent = z.infer<typeof endEventSchema>
export type ErrorEvent = z.infer<typeof errorEventSchema>
