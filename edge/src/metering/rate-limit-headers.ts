import type { Allowance } from '../auth/api-key.ts'
import type { Standing } from './meter.ts'

export const RATE_LIMIT_HEADERS = [
  'x-ratelimit-limit-requests',
  'x-ratelimit-limit-tokens',
  'x-ratelimit-remaining-requests',
  'x-ratelimit-remaining-tokens',
  'x-ratelimit-reset-requests',
  'x-ratelimit-reset-tokens',
] as const

/** A key's standing in the headers of OpenAI's API. */
export function rateLimitHeaders(
  { requestsPerMinute, tokensPerMinute }: Allowance,
  standing: Standing,
): Record<(typeof RATE_LIMIT_HEADERS)[number], string> {
  return {
    'x-ratelimit-limit-requests': String(requestsPerMinute),
    'x-ratelimit-limit-tokens': String(tokensPerMinute),
    'x-ratelimit-remaining-requests': String(standing.remainingRequests),
    'x-ratelimit-remaining-tokens': String(standing.remainingTokens),
    'x-ratelimit-reset-requests': formatDuration(standing.resetRequestsMs),
    'x-ratelimit-reset-tokens': formatDuration(standing.resetTokensMs),
  }
}

/** A duration as OpenAI writes it: `12ms`, `1.5s`, `6m0s`. */
export function formatDuration(durationMs: number): string {
  const ms = Math.ceil(durationMs)
  if (ms < 1000) return `${ms}ms`
  const minutes = Math.floor(ms / 60_000)
  const seconds = Number(((ms % 60_000) / 1000).toFixed(3))
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds}s`
}
