import { assertNever } from '@setblock/shared'
import type { AnswerEvent } from '../generation/generation.ts'
import { SSE_DONE } from '../stream/sse.ts'
import type { TextToken } from '../text/text-events.ts'
import { fingerprint, sessionOf, toUsage } from './answer-form.ts'
import type { AnswerForm, FormOptions } from './answer-form.ts'
import { toCompletionLogprobs } from './logprobs.ts'

interface ChoiceParts {
  text: string
  tokens?: readonly TextToken[] | undefined
  finishReason?: string
}

/** OpenAI's older completions. */
export function createCompletionForm(options: FormOptions): AnswerForm {
  const { id, created, model, jobs, includeUsage } = options
  const withLogprobs = jobs[0]?.logprobs !== undefined
  const head = {
    id,
    object: 'text_completion',
    created,
    model: model.manifest.id,
    system_fingerprint: fingerprint(model),
  }
  const choice = ({ text, tokens, finishReason }: ChoiceParts, index: number) => ({
    index,
    text,
    logprobs:
      withLogprobs && tokens !== undefined ? toCompletionLogprobs(model.tokenizer, tokens) : null,
    finish_reason: finishReason ?? null,
  })
  const chunk = (parts: ChoiceParts, index: number) => ({
    ...head,
    choices: [choice(parts, index)],
    ...(includeUsage ? { usage: null } : {}),
  })

  function payloads(event: AnswerEvent): unknown[] {
    if (event.type === 'done') {
      return includeUsage ? [{ ...head, choices: [], usage: toUsage(event.usage) }] : []
    }
    const { index, event: inner } = event
    switch (inner.type) {
      case 'start':
      case 'reveal':
        return []
      case 'text':
        return [chunk({ text: inner.delta, tokens: inner.tokens }, index)]
      case 'end':
        return [
          { ...chunk({ text: '', finishReason: inner.finishReason }, index), ...sessionOf(inner) },
        ]
      default:
        return assertNever(inner, 'text event')
    }
  }

  return {
    opening: () => [],
    payloads,
    failure: (error) => error.toEnvelope(),
    closing: SSE_DONE,
    whole: (answer) => ({
      ...head,
      choices: answer.choices.map(choice),
      usage: toUsage(answer.usage),
      ...sessionOf(answer),
    }),
  }
}
