import type { Job } from '@setblock/shared'
import type { LogRecord } from '../deps.ts'
import type { TextEvent } from '../text/text-events.ts'

/** What the log says of a job: its dials and sizes, none of its content. */
export function describeJob({ id, model, decoding, tokenIds, maxTokens }: Job): LogRecord {
  const { mode, blockLength } = decoding
  const gamma = mode === 'sbd' ? decoding.gamma : null
  return { job: id, model, mode, gamma, blockLength, promptTokens: tokenIds.length, maxTokens }
}

/** Passes events on and notes in the log record when text first came and what it all cost. */
export async function* observe(
  events: AsyncIterable<TextEvent>,
  record: LogRecord,
  clock: () => number,
): AsyncGenerator<TextEvent> {
  for await (const event of events) {
    if (event.type === 'text') record['ttftMs'] ??= clock() - Number(record['at'])
    if (event.type === 'end') {
      const { completionTokens, cachedTokens, forwardPasses, tokensPerForward } = event.usage
      record['finishReason'] = event.finishReason
      Object.assign(record, { completionTokens, cachedTokens, forwardPasses, tokensPerForward })
    }
    yield event
  }
}
