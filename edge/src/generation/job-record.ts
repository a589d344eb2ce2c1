import type { Job } from '@setblock/shared'
import type { EdgeDeps, LogRecord } from '../deps.ts'
import type { AnswerEvent } from './generation.ts'

/** What the log says of a request's jobs: their dials and sizes, none of their content. */
export function describeJobs(jobs: readonly Job[]): LogRecord {
  const { id, model, decoding, tokenIds, maxTokens, latencyBudgetMs } = jobs[0]!
  const { mode, blockLength } = decoding
  const gamma = mode === 'sbd' ? decoding.gamma : null
  return {
    job: id,
    choices: jobs.length,
    model,
    mode,
    gamma,
    blockLength,
    promptTokens: tokenIds.length,
    maxTokens,
    ...(latencyBudgetMs === undefined ? {} : { latencyBudgetMs }),
  }
}

/** Passes events on and notes when text first came, and in the log record what it all cost. */
export async function* observe(
  events: AsyncIterable<AnswerEvent>,
  record: LogRecord,
  { clock, metrics }: Pick<EdgeDeps, 'clock' | 'metrics'>,
): AsyncGenerator<AnswerEvent> {
  for await (const event of events) {
    if (event.type === 'done') {
      const { completionTokens, cachedTokens, forwardPasses, tokensPerForward } = event.usage
      Object.assign(record, { completionTokens, cachedTokens, forwardPasses, tokensPerForward })
    } else if (event.event.type === 'text') {
      if (record['ttftMs'] === undefined) {
        const ttftMs = clock() - Number(record['at'])
        record['ttftMs'] = ttftMs
        const { model, mode } = record
        metrics.firstText({ model: String(model), mode: String(mode) }, ttftMs)
      }
    } else if (event.event.type === 'end') {
      record['finishReason'] = event.event.finishReason
    }
    yield event
  }
}
