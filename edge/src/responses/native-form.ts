import { assertNever } from '@setblock/shared'
import type { Job } from '@setblock/shared'
import type { AnswerEvent } from '../generation/generation.ts'
import type { RevealedToken, TextEvent } from '../text/text-events.ts'
import type { TextTokenizer } from '../tokenizer/text-tokenizer.ts'
import { fingerprint, sessionOf, toUsage } from './answer-form.ts'
import type { AnswerForm, FormOptions } from './answer-form.ts'
import { toRevealLogprobs } from './logprobs.ts'

type Reveal = Extract<TextEvent, { type: 'reveal' }>

/** Our own form: typed events, and the reveals for those who want to watch them. */
export function createNativeForm(options: FormOptions): AnswerForm {
  const { id, created, model, jobs, reveals: withReveals } = options
  const job = jobs[0]!
  const head = {
    id,
    created,
    model: model.manifest.id,
    system_fingerprint: fingerprint(model),
    decoding: describe(job),
    seed: job.sampling.seed,
  }
  const draw = (reveal: Reveal) => drawReveal(reveal, model.tokenizer)

  function payloads(event: AnswerEvent): unknown[] {
    // The only choice's own end has said it all.
    if (event.type === 'done') return []
    const { event: inner } = event
    switch (inner.type) {
      case 'start': {
        const { promptTokens, cachedTokens } = inner
        return [
          { type: 'start', ...head, prompt_tokens: promptTokens, cached_tokens: cachedTokens },
        ]
      }
      case 'reveal':
        return [{ type: 'reveal', ...draw(inner) }]
      case 'text':
        return [inner]
      case 'end': {
        const { finishReason, usage } = inner
        return [
          { type: 'end', finish_reason: finishReason, usage: toUsage(usage), ...sessionOf(inner) },
        ]
      }
      default:
        return assertNever(inner, 'text event')
    }
  }

  return {
    opening: () => [],
    payloads,
    failure: (error) => ({ type: 'error', ...error.toEnvelope() }),
    closing: '',
    whole: ({ choices: [choice], usage, session }) => ({
      object: 'generation',
      ...head,
      text: choice!.text,
      finish_reason: choice!.finishReason,
      usage: toUsage(usage),
      ...sessionOf({ session }),
      ...(withReveals ? { reveals: choice!.reveals.map(draw) } : {}),
    }),
  }
}

/** How the job was decoded; the entropy bound and its rule exist in one mode only. */
function describe({ decoding: { mode, gamma, rule, blockLength }, latencyBudgetMs }: Job) {
  switch (mode) {
    case 'sbd': {
      const budget = latencyBudgetMs === undefined ? {} : { latency_budget_ms: latencyBudgetMs }
      return { mode, block_length: blockLength, gamma, rule, ...budget }
    }
    case 'verified':
      return { mode, block_length: blockLength }
    case 'ntp':
      return { mode }
    default:
      return assertNever(mode, 'mode')
  }
}

function drawReveal({ block, step, tokens }: Reveal, tokenizer: TextTokenizer) {
  return {
    block,
    step,
    positions: tokens.map(({ position }) => position),
    tokens: tokens.map((token) => drawToken(token, tokenizer)),
  }
}

function drawToken({ logprobs, ...token }: RevealedToken, tokenizer: TextTokenizer) {
  return logprobs === undefined ? token : { ...token, ...toRevealLogprobs(tokenizer, logprobs) }
}
