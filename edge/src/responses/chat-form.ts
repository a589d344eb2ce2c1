import { assertNever } from '@setblock/shared'
import type { AnswerEvent, Choice } from '../generation/generation.ts'
import { SSE_DONE } from '../stream/sse.ts'
import type { TextToken } from '../text/text-events.ts'
import { fingerprint, sessionOf, toUsage } from './answer-form.ts'
import type { AnswerForm, FormOptions } from './answer-form.ts'
import { toChatLogprobs } from './logprobs.ts'

/** OpenAI's chat completions. */
export function createChatForm(options: FormOptions): AnswerForm {
  const { id, created, model, jobs, includeUsage } = options
  const withLogprobs = jobs[0]?.logprobs !== undefined
  const logprobsOf = (tokens: readonly TextToken[] | undefined) =>
    withLogprobs && tokens !== undefined ? toChatLogprobs(model.tokenizer, tokens) : null
  const head = (object: string) => ({
    id,
    object,
    created,
    model: model.manifest.id,
    system_fingerprint: fingerprint(model),
  })
  const chunkHead = head('chat.completion.chunk')

  function chunk(index: number, delta: object, rest: Partial<ChunkRest> = {}) {
    const { tokens, finishReason = null } = rest
    return {
      ...chunkHead,
      choices: [{ index, delta, logprobs: logprobsOf(tokens), finish_reason: finishReason }],
      ...(includeUsage ? { usage: null } : {}),
    }
  }

  function payloads(event: AnswerEvent): unknown[] {
    if (event.type === 'done') {
      return includeUsage ? [{ ...chunkHead, choices: [], usage: toUsage(event.usage) }] : []
    }
    const { index, event: inner } = event
    switch (inner.type) {
      case 'start':
      case 'reveal':
        return []
      case 'text':
        return [chunk(index, { content: inner.delta }, { tokens: inner.tokens })]
      case 'end':
        return [{ ...chunk(index, {}, { finishReason: inner.finishReason }), ...sessionOf(inner) }]
      default:
        return assertNever(inner, 'text event')
    }
  }

  const wholeChoice = ({ text, finishReason, tokens }: Choice, index: number) => ({
    index,
    message: { role: 'assistant', content: text, refusal: null },
    logprobs: logprobsOf(tokens),
    finish_reason: finishReason,
  })

  return {
    opening: () => jobs.map((_, index) => chunk(index, { role: 'assistant', content: '' })),
    payloads,
    failure: (error) => error.toEnvelope(),
    closing: SSE_DONE,
    whole: (answer) => ({
      ...head('chat.completion'),
      choices: answer.choices.map(wholeChoice),
      usage: toUsage(answer.usage),
      ...sessionOf(answer),
    }),
  }
}

interface ChunkRest {
  tokens: readonly TextToken[] | undefined
  finishReason: string
}
