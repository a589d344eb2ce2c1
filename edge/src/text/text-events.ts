import type { FinishReason, Usage } from '@setblock/shared'

/** What a generation turns into once token ids are text. Exactly one `end` closes it. */
export type TextEvent =
  | { type: 'start'; promptTokens: number; cachedTokens: number }
  | { type: 'reveal'; block: number; step: number; tokens: RevealedToken[] }
  | { type: 'text'; delta: string }
  | { type: 'end'; finishReason: FinishReason; usage: TextUsage }

/** `text` is the token alone; a character spread over several tokens shows as U+FFFD in each. */
export interface RevealedToken {
  position: number
  id: number
  text: string
}

/**
 * The worker's accounting. `prefill` is null when a stop string ended the job at the edge: the
 * other figures then count what had arrived, and only the worker knows the prompt passes.
 */
export type TextUsage = Pick<
  Usage,
  'promptTokens' | 'cachedTokens' | 'completionTokens' | 'tokensPerForward'
> & { forwardPasses: { prefill: number | null; decode: number } }
