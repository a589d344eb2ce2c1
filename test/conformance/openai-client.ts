import OpenAI from 'openai'
import { ORDER, userSays, type Target } from './case.ts'

/** Fields of a body, also those that the client's types do not know. */
export type Extension = Record<string, unknown>

export function connect({ edgeUrl, key }: Target, options: { fetch?: typeof fetch } = {}): OpenAI {
  return new OpenAI({ apiKey: key, baseURL: `${edgeUrl}/v1`, ...options })
}

/** The answer to a prompt whose answer is known, unless the fields say otherwise. */
export function complete(target: Target, fields: Extension = {}) {
  const body = { model: target.model, messages: userSays(ORDER), ...fields, stream: false as const }
  return connect(target).chat.completions.create(body)
}

export function stream(target: Target, fields: Extension = {}) {
  const body = { model: target.model, messages: userSays(ORDER), ...fields, stream: true as const }
  return connect(target).chat.completions.create(body)
}

export const textOf = (answer: OpenAI.ChatCompletion) => answer.choices[0]?.message.content
