/** Where Unicode ends a line and server-sent events do not: many clients split streams there all the same. */
const UNICODE_LINE_ENDS = /[\u0085\u2028\u2029]/g

/** Server-sent events: one JSON payload a frame, unnamed, because clients hand on named ones. */
export function sseFrame(payload: unknown): string {
  const json = JSON.stringify(payload).replaceAll(
    UNICODE_LINE_ENDS,
    (end) => `\\u${end.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return `data: ${json}\n\n`
}

/** Closes a complete OpenAI stream; one that failed ends without it. */
export const SSE_DONE = 'data: [DONE]\n\n'

/** A comment, which clients skip; keeps proxies from cutting a silent stream. */
export const SSE_KEEP_ALIVE = ': keep-alive\n\n'

export const SSE_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
} as const
