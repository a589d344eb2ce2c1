import type { ErrorFacts } from './events.ts'

/** Something that went wrong, in words for the person in front of the page. */
export interface Failure {
  title: string
  detail: string
  /** What can be done about it. */
  remedy: 'key' | 'retry' | 'edit'
}

/** What an answer without a stream says: its status, its error envelope, its `retry-after`. */
export interface RefusedAnswer {
  status: number
  error: ErrorFacts | undefined
  retryAfterSeconds: number | undefined
}

export function describeRefusal({ status, error, retryAfterSeconds }: RefusedAnswer): Failure {
  const said = error === undefined ? `The answer had status ${status}.` : sentence(error.message)
  if (status === 401) {
    return { title: 'This key was not accepted', detail: said, remedy: 'key' }
  }
  if (status === 403) {
    return { title: 'This key may not do that', detail: said, remedy: 'key' }
  }
  if (status === 429) {
    const wait = retryAfterSeconds ?? 1
    const when = wait === 1 ? 'a second' : `${wait} seconds`
    return { title: 'Too much at once', detail: `${said} Try again in ${when}.`, remedy: 'retry' }
  }
  if (status === 503) {
    const detail = `The API is up, but no worker takes the job. ${said}`
    return { title: 'No worker answers', detail, remedy: 'retry' }
  }
  if (status >= 500) {
    return { title: 'Something went wrong on the server', detail: said, remedy: 'retry' }
  }
  return { title: 'The request was refused', detail: said, remedy: 'edit' }
}

/** An error event: the stream had begun. */
export function describeErrorEvent(error: ErrorFacts): Failure {
  const detail = `${sentence(error.message)} What had arrived is kept.`
  return { title: 'The answer stopped early', detail, remedy: 'retry' }
}

/** A stream that ended without its last event. */
export const CUT_STREAM: Failure = {
  title: 'The connection was cut',
  detail: 'The stream broke off before its end. What had arrived is kept.',
  remedy: 'retry',
}

/** No answer at all. */
export const UNREACHABLE: Failure = {
  title: 'The API cannot be reached',
  detail: 'There was no answer. Is the server still running?',
  remedy: 'retry',
}

function sentence(message: string): string {
  const text = message.trim()
  const start = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?]$/.test(start) ? start : `${start}.`
}
