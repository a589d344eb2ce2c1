import { ApiError } from '@setblock/shared'

/**
 * Reads a source as fast as it gives, whatever its reader does, so that a slow client holds up no
 * job. What waits is bounded: beyond `charactersMax` the source is ended, and after what was read
 * so far the reader gets `reader_too_slow`.
 */
export async function* readAhead(
  source: AsyncIterable<string>,
  charactersMax: number,
): AsyncGenerator<string> {
  const waiting: string[] = []
  let characters = 0
  let end: { error?: unknown } | undefined
  let news = Promise.withResolvers<void>()
  let left = false

  async function pump(): Promise<void> {
    try {
      for await (const frame of source) {
        if (left) return
        waiting.push(frame)
        characters += frame.length
        if (characters > charactersMax) {
          throw new ApiError('reader_too_slow', 'the client reads too slowly to follow the stream')
        }
        news.resolve()
      }
      end = {}
    } catch (error) {
      end = { error }
    }
    news.resolve()
  }
  void pump()
  try {
    for (;;) {
      const frame = waiting.shift()
      if (frame !== undefined) {
        characters -= frame.length
        yield frame
      } else if (end !== undefined) {
        if ('error' in end) throw end.error
        return
      } else {
        await news.promise
        news = Promise.withResolvers<void>()
      }
    }
  } finally {
    left = true
  }
}
