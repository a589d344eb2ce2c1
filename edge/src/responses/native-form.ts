import { assertNever } from '@setblock/shared'
import type { Job } from '@setblock/shared'
import type { TextEvent } from '../text/text-events.ts'
import { toUsage } from './answer-form.ts'
import type { AnswerForm, AnswerIdentity } from './answer-form.ts'

type Reveal = Extract<TextEvent, { type: 'reveal' }>

/** Our own form: typed events, and the reveals for those who want to watch them. */
export function createNativeForm(
  { id, created, model }: AnswerIdentity,
  { job, reveals: withReveals }: { job: Job; reveals: boolean },
): AnswerForm {
  const head = { id, created, model, decoding: describe(job), seed: job.sampling.seed }
  return {
    opening: () => [],
    payloads(event) {
      switch (event.type) {
        case 'start':
          return [
            {
              type: 'start',
              ...head,
              prompt_tokens: event.promptTokens,
              cached_tokens: event.cachedTokens,
            },
          ]
        case 'reveal':
          return [{ type: 'reveal', ...drawReveal(event) }]
        case 'text':
          return [event]
        case 'end': {
          const { finishReason, usage } = event
          return [{ type: 'end', finish_reason: finishReason, usage: toUsage(usage) }]
        }
        default:
          return assertNever(event, 'text event')
      }
    },
    failure: (error) => ({ type: 'error', ...error.toEnvelope() }),
    closing: '',
    whole: ({ text, finishReason, usage, reveals }) => ({
      object: 'generation',
      ...head,
      text,
      finish_reason: finishReason,
      usage: toUsage(usage),
      ...(withReveals ? { reveals: reveals.map(drawReveal) } : {}),
    }),
  }
}

/** How the job was decoded; the entropy bound and its rule exist in one mode only. */
function describe({ decoding: { mode, gamma, rule, blockLength } }: Job) {
  switch (mode) {
    case 'sbd':
      return { mode, block_length: blockLength, gamma, rule }
    case 'verified':
      return { mode, block_length: blockLength }
    case 'ntp':
      return { mode }
    default:
      return assertNever(mode, 'mode')
  }
}

function drawReveal({ block, step, tokens }: Reveal) {
  return { block, step, positions: tokens.map(({ position }) => position), tokens }
}
