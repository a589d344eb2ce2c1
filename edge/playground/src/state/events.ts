import type { Mode, Rule } from '@setblock/shared'

/** One token as `POST /v1/generate` reveals it. */
export interface RevealedToken {
  /** Absolute in the sequence: the first generated token sits at `prompt_tokens`. */
  position: number
  id: number
  text: string
  /** Nats; only where the server sends it. */
  entropy?: number
}

export interface DecodingFacts {
  mode: Mode
  block_length?: number
  gamma?: number
  rule?: Rule
}

export interface Usage {
  prompt_tokens: number
  completion_tokens: number
  forward_passes: number
  /** `prefill` is null when the edge ended the job. */
  forward_passes_details: { prefill: number | null; decode: number }
  tokens_per_forward: number
}

/** The part of an error envelope that the page reads. */
export interface ErrorFacts {
  message: string
  code: string | null
  param?: string | null
}

/** The events of a native stream, as far as the page reads them. */
export type NativeEvent =
  | {
      type: 'start'
      id: string
      model: string
      decoding: DecodingFacts
      seed: number
      prompt_tokens: number
    }
  | { type: 'reveal'; block: number; step: number; tokens: RevealedToken[] }
  | { type: 'text'; delta: string }
  | { type: 'end'; finish_reason: string; usage: Usage }
  | { type: 'error'; error: ErrorFacts }

/** An event and when it came, in milliseconds since the request was sent. */
export interface TimedEvent {
  atMs: number
  event: NativeEvent
}

const KNOWN = new Set(['start', 'reveal', 'text', 'end', 'error'])

/** Reads the data of one server-sent event. Kinds that are not known are skipped. */
export function parseEvent(data: string): NativeEvent | undefined {
  const value = JSON.parse(data) as { type?: unknown }
  return KNOWN.has(String(value.type)) ? (value as NativeEvent) : undefined
}
