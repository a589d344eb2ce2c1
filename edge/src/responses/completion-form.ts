import { assertNever } from '@setblock/shared'
import { SSE_DONE } from '../stream/sse.ts'
import { toUsage } from './answer-form.ts'
import type { AnswerForm, AnswerIdentity } from './answer-form.ts'

/** OpenAI's older completions. */
export function createCompletionForm(
  { id, created, model }: AnswerIdentity,
  { includeUsage }: { includeUsage: boolean },
): AnswerForm {
  const head = { id, object: 'text_completion', created, model }
  const choices = (text: string, finishReason: string | null) => [
    { index: 0, text, logprobs: null, finish_reason: finishReason },
  ]
  const chunk = (text: string, finishReason: string | null = null) => ({
    ...head,
    choices: choices(text, finishReason),
    ...(includeUsage ? { usage: null } : {}),
  })
  return {
    opening: () => [],
    payloads(event) {
      switch (event.type) {
        case 'start':
        case 'reveal':
          return []
        case 'text':
          return [chunk(event.delta)]
        case 'end': {
          const usage = { ...head, choices: [], usage: toUsage(event.usage) }
          return [chunk('', event.finishReason), ...(includeUsage ? [usage] : [])]
        }
        default:
          return assertNever(event, 'text event')
      }
    },
    failure: (error) => error.toEnvelope(),
    closing: SSE_DONE,
    whole: ({ text, finishReason, usage }) => ({
      ...head,
      choices: choices(text, finishReason),
      usage: toUsage(usage),
    }),
  }
}
