import { assertNever } from '@setblock/shared'
import { SSE_DONE } from '../stream/sse.ts'
import { toUsage } from './answer-form.ts'
import type { AnswerForm, AnswerIdentity } from './answer-form.ts'

/** OpenAI's chat completions. */
export function createChatForm(
  { id, created, model }: AnswerIdentity,
  { includeUsage }: { includeUsage: boolean },
): AnswerForm {
  const head = { id, object: 'chat.completion.chunk', created, model }
  const chunk = (delta: object, finishReason: string | null = null) => ({
    ...head,
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
    ...(includeUsage ? { usage: null } : {}),
  })
  return {
    opening: () => [chunk({ role: 'assistant', content: '' })],
    payloads(event) {
      switch (event.type) {
        case 'start':
        case 'reveal':
          return []
        case 'text':
          return [chunk({ content: event.delta })]
        case 'end': {
          const usage = { ...head, choices: [], usage: toUsage(event.usage) }
          return [chunk({}, event.finishReason), ...(includeUsage ? [usage] : [])]
        }
        default:
          return assertNever(event, 'text event')
      }
    },
    failure: (error) => error.toEnvelope(),
    closing: SSE_DONE,
    whole: ({ text, finishReason, usage }) => ({
      id,
      object: 'chat.completion',
      created,
      model,
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: text, refusal: null },
          logprobs: null,
          finish_reason: finishReason,
        },
      ],
      usage: toUsage(usage),
    }),
  }
}
