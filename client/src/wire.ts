/** The wire of `POST /v1/generate`, under the names it has there: what the API documents, this takes and gives. */

export type Mode = 'verified' | 'sbd' | 'ntp'
export type GammaPreset = 'low' | 'balanced' | 'high'
export type Rule = 'entropy-bound' | 'strict' | 'threshold' | 'confidence' | 'prefix'

export interface Message {
  role: 'system' | 'developer' | 'user' | 'assistant'
  content: string
}

/** Text, any JSON object, or JSON that a JSON Schema accepts. */
export type ResponseFormat =
  | { type: 'text' }
  | { type: 'json_object' }
  | {
      type: 'json_schema'
      json_schema: { name: string; schema: object; description?: string; strict?: boolean }
    }

/** How to decode and to sample; the same for both forms of a prompt. */
export interface GenerateSettings {
  model: string
  max_tokens?: number
  /** 0 to 2; 0 is greedy, which is the default. */
  temperature?: number
  top_p?: number
  top_k?: number
  seed?: number
  stop?: string | readonly string[]
  mode?: Mode
  /** Entropy in nats that one forward may reveal; giving it selects mode `sbd`. */
  gamma?: number | GammaPreset
  block_length?: number
  rule?: Rule
  /** Milliseconds in which `max_tokens` tokens shall be there: gamma rises as far as that needs. Selects mode `sbd`. */
  latency_budget_ms?: number
  response_format?: ResponseFormat
  /** Reveals carry the log probability of each token, and this many of the most likely ones. */
  logprobs?: number
  /** Continues a session, which is created when it is first named: the server remembers the conversation. */
  session?: string
  /** The prompt is only the new turn. */
  append?: boolean
  /** What a client that leaves in the middle of a turn leaves of it; `rollback` unless given. */
  on_disconnect?: 'rollback' | 'keep' | 'continue'
  /** Whether tokens are also sent when they are revealed, with their positions. Here the default is true. */
  reveals?: boolean
}

/** A text to continue, or a conversation to answer. */
export type GenerateRequest = GenerateSettings &
  ({ prompt: string; messages?: undefined } | { messages: readonly Message[]; prompt?: undefined })

export interface DecodingInfo {
  mode: Mode
  block_length?: number
  gamma?: number
  rule?: Rule
  latency_budget_ms?: number
}

export interface StartEvent {
  type: 'start'
  /** Of the answer. */
  id: string
  /** Unix seconds. */
  created: number
  model: string
  /** Changes with the weights: a seed replays as long as this stays. */
  system_fingerprint: string
  decoding: DecodingInfo
  /** Draws the same answer again. */
  seed: number
  prompt_tokens: number
  cached_tokens: number
}

export interface RevealedToken {
  /** Absolute: the first token of the answer sits at `prompt_tokens`. */
  position: number
  id: number
  /** Of the token alone: a character spread over several tokens shows as U+FFFD in each. */
  text: string
  /** Nats, where the server tells it. */
  entropy?: number
  /** Nats; there if the request asks for log probabilities. */
  logprob?: number
  top_logprobs?: { id: number; text: string; logprob: number }[]
}

/** Tokens that one forward pass made final, in any order above the text that is known already. */
export interface RevealEvent {
  type: 'reveal'
  /** Ordinal of the block, and of the forward pass that revealed the tokens; both from 0. */
  block: number
  step: number
  positions: number[]
  tokens: RevealedToken[]
}

/** Text that follows the text before it; never taken back. */
export interface TextEvent {
  type: 'text'
  delta: string
}

export type FinishReason = 'stop' | 'length'

/** What is null, only the worker knows, and a stop string ended the answer before it could tell. */
export interface Usage {
  prompt_tokens: number
  completion_tokens: number
  total_tokens: number
  prompt_tokens_details: { cached_tokens: number }
  completion_tokens_details: {
    reasoning_tokens: number
    accepted_prediction_tokens: number
    rejected_prediction_tokens: number
  }
  forward_passes: number
  forward_passes_details: { prefill: number | null; decode: number }
  tokens_per_forward: number
  /** Nats, the mean over the decode forwards; null in modes that have no bound. */
  effective_gamma: number | null
  queue_ms: number
  prefill_ms: number | null
  decode_ms: number | null
  /** Rows that the forwards computed, and those that led to nothing. */
  rows?: { total: number; wasted: number }
  /** Mode `verified`: drafted tokens and those that held, in all and by their place in the draft. */
  drafts?: DraftCounts & { positions: DraftCounts[] }
}

interface DraftCounts {
  drafted: number
  accepted: number
}

/** A session as a turn left it; durable by the time it is told. */
export interface SessionVersion {
  id: string
  version: number
}

export interface EndEvent {
  type: 'end'
  finish_reason: FinishReason
  usage: Usage
  session?: SessionVersion
}

/** What a stream gives; exactly one `end` closes one that did not fail. */
export type GenerationEvent = StartEvent | RevealEvent | TextEvent | EndEvent

/** The body of an error answer; in a stream, beside `type: "error"`. */
export interface ErrorEnvelope {
  error: { message: string; type: string; param: string | null; code: string | null }
}

export interface Model {
  id: string
  object: 'model'
  created: number
  owned_by: string
}
