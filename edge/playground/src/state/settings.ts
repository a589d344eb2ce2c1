import type { Mode, Rule } from '@setblock/shared'

/** What the controls say. Nothing undefined here is sent, so the model's own default holds. */
export interface Settings {
  mode: Mode
  /** Nats; in force in mode sbd. */
  gamma: number
  blockLength: number | undefined
  rule: Rule | undefined
  temperature: number
  maxTokens: number
  seed: number | undefined
  /** Whether earlier turns are sent along. */
  remember: boolean
}

export const GAMMA_MAX = 1
export const GAMMA_STEP = 0.05

export const DEFAULT_SETTINGS: Settings = {
  mode: 'sbd',
  gamma: 0.35,
  blockLength: undefined,
  rule: undefined,
  temperature: 0,
  maxTokens: 200,
  seed: undefined,
  remember: false,
}

/** Tokens to ask for, in a context that must also hold the prompt. */
export function defaultMaxTokens(contextLength: number): number {
  return Math.min(DEFAULT_SETTINGS.maxTokens, Math.floor(contextLength / 2))
}

/** Takes changes. The entropy bound means something in one mode only, so changing it selects that. */
export function changeSettings(settings: Settings, change: Partial<Settings>): Settings {
  const mode = change.mode ?? (change.gamma === undefined ? settings.mode : 'sbd')
  return { ...settings, ...change, mode }
}

export interface Message {
  role: 'user' | 'assistant'
  content: string
}

/** A body of `POST /v1/generate`, in the order in which it is shown. */
export interface GenerateBody {
  model: string
  messages: Message[]
  mode?: Mode
  gamma?: number
  block_length?: number
  rule?: Rule
  max_tokens: number
  temperature?: number
  seed?: number
  stream: true
  reveals: true
}

export function toBody(
  settings: Settings,
  { model, messages }: { model: string; messages: Message[] },
): GenerateBody {
  const { mode, gamma, blockLength, rule, temperature, maxTokens, seed } = settings
  return {
    model,
    messages,
    mode,
    ...(mode === 'sbd' ? { gamma } : {}),
    ...(mode !== 'ntp' && blockLength !== undefined ? { block_length: blockLength } : {}),
    ...(mode === 'sbd' && rule !== undefined ? { rule } : {}),
    max_tokens: maxTokens,
    ...(temperature > 0 ? { temperature } : {}),
    ...(seed === undefined ? {} : { seed }),
    stream: true,
    reveals: true,
  }
}

/** The body that gives the same answer again: a run that sampled is repeated with its own seed. */
export function reproduce(body: GenerateBody, seed: number | undefined): GenerateBody {
  if (seed === undefined || body.temperature === undefined) return body
  const { stream, reveals, ...rest } = body
  return { ...rest, seed, stream, reveals }
}
