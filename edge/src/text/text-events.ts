import type { EndEvent, FinishReason, TokenLogprobs, Usage } from '@setblock/shared'

/** A session as a turn left it. */
export type SessionVersion = NonNullable<EndEvent['session']>

/** What a generation turns into once token ids are text. Exactly one `end` closes it. */
export type TextEvent =
  | { type: 'start'; promptTokens: number; cachedTokens: number }
  | { type: 'reveal'; block: number; step: number; tokens: RevealedToken[] }
  /** `tokens`, only when log probabilities are wanted: those whose text is sent in full now. */
  | { type: 'text'; delta: string; tokens?: TextToken[] }
  | { type: 'end'; finishReason: FinishReason; usage: TextUsage; session?: SessionVersion }

/** `text` is the token alone; a character spread over several tokens shows as U+FFFD in each. */
export interface RevealedToken {
  position: number
  id: number
  text: string
  /** Nats. */
  entropy?: number
  logprobs?: TokenLogprobs
}

/** A token of the text, with how likely it was. */
export interface TextToken {
  id: number
  /** Where its text begins, in UTF-16 units of the whole text. */
  offset: number
  logprobs: TokenLogprobs
}

/**
 * The worker's accounting. What only the worker knows is null when a stop string ended the job at
 * the edge; the other figures then count what had arrived.
 */
export type TextUsage = Pick<
  Usage,
  'promptTokens' | 'cachedTokens' | 'completionTokens' | 'tokensPerForward' | 'queueMs'
> &
  Pick<Partial<Usage>, 'rows' | 'drafts'> & {
    forwardPasses: { prefill: number | null; decode: number }
    prefillMs: number | null
    decodeMs: number | null
    /** Nats; null also in modes that have no bound. */
    effectiveGamma: number | null
  }
