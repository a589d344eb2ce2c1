import * as z from 'zod'
import type { Allowance } from '../auth/api-key.ts'
import { fullBucket, refill, take, waitFor } from './bucket.ts'
import type { Bucket } from './bucket.ts'

/** What one key has used lately. */
export interface MeterState {
  readonly requests: Bucket
  readonly tokens: Bucket
  /** The calendar month in UTC, as 2026-11, and the tokens used in it. */
  readonly month: { readonly name: string; readonly tokens: number }
}

/** Where a key stands, as the rate limit headers tell it. */
export const standingSchema = z.object({
  remainingRequests: z.int().min(0),
  remainingTokens: z.int().min(0),
  /** Milliseconds until everything is there again. */
  resetRequestsMs: z.int().min(0),
  resetTokensMs: z.int().min(0),
})
export type Standing = z.infer<typeof standingSchema>

/** What an admitted request was charged; it is given back when the request is settled. */
export const receiptSchema = z.object({
  /** Tokens taken from the minute: the estimate, or all of the minute's if that is less. */
  minuteTokens: z.int().min(0),
  monthTokens: z.int().min(0),
  month: z.string(),
})
export type Receipt = z.infer<typeof receiptSchema>

export const verdictSchema = z.discriminatedUnion('admitted', [
  z.object({ admitted: z.literal(true), receipt: receiptSchema, standing: standingSchema }),
  z.object({
    admitted: z.literal(false),
    reason: z.enum(['requests', 'tokens', 'quota']),
    /** Milliseconds after which the same request would be admitted if nothing else came. */
    retryAfterMs: z.int().min(0),
    standing: standingSchema,
  }),
])
export type Verdict = z.infer<typeof verdictSchema>

/** Counts what keys use, exactly. */
export interface Meter {
  /** Charges one request and an estimate of its tokens, or refuses it and charges nothing. */
  admit(keyId: string, allowance: Allowance, estimatedTokens: number): Promise<Verdict>
  /** Replaces the estimate by what was used. Once for every receipt. */
  settle(options: {
    keyId: string
    allowance: Allowance
    receipt: Receipt
    usedTokens: number
  }): Promise<void>
}

export const monthOf = (now: number): string => new Date(now).toISOString().slice(0, 7)

export function freshMeter(allowance: Allowance, now: number, monthTokens = 0): MeterState {
  return {
    requests: fullBucket(allowance.requestsPerMinute, now),
    tokens: fullBucket(allowance.tokensPerMinute, now),
    month: { name: monthOf(now), tokens: monthTokens },
  }
}

/** The state as it is now: buckets refilled, a month that is over forgotten. */
export function advance(state: MeterState, allowance: Allowance, now: number): MeterState {
  const month = monthOf(now)
  return {
    requests: refill(state.requests, allowance.requestsPerMinute, now),
    tokens: refill(state.tokens, allowance.tokensPerMinute, now),
    month: state.month.name === month ? state.month : { name: month, tokens: 0 },
  }
}

export interface Decision {
  readonly verdict: Verdict
  readonly state: MeterState
}

/** Decides on a request; `state` must be as it is now. */
export function decide(state: MeterState, allowance: Allowance, estimatedTokens: number): Decision {
  const { requestsPerMinute, tokensPerMinute, tokensPerMonth } = allowance
  const { month } = state
  function refuse(reason: 'requests' | 'tokens' | 'quota', retryAfterMs: number): Decision {
    const standing = standingOf(state, allowance)
    return { verdict: { admitted: false, reason, retryAfterMs, standing }, state }
  }
  if (tokensPerMonth !== null && month.tokens + estimatedTokens > tokensPerMonth) {
    return refuse('quota', 0)
  }
  // Clamped, so that a request larger than a minute's tokens waits for all of them, not for ever.
  const minuteTokens = Math.min(estimatedTokens, tokensPerMinute)
  const requestsMs = waitFor(state.requests, 1, requestsPerMinute)
  const tokensMs = waitFor(state.tokens, minuteTokens, tokensPerMinute)
  if (requestsMs > 0 || tokensMs > 0) {
    return refuse(requestsMs >= tokensMs ? 'requests' : 'tokens', Math.max(requestsMs, tokensMs))
  }
  const charged: MeterState = {
    requests: take(state.requests, 1),
    tokens: take(state.tokens, minuteTokens),
    month: { name: month.name, tokens: month.tokens + estimatedTokens },
  }
  const receipt = { minuteTokens, monthTokens: estimatedTokens, month: month.name }
  const standing = standingOf(charged, allowance)
  return { verdict: { admitted: true, receipt, standing }, state: charged }
}

/** The state after a request turned out to use `usedTokens`; `state` must be as it is now. */
export function settled(
  state: MeterState,
  allowance: Allowance,
  receipt: Receipt,
  usedTokens: number,
): MeterState {
  const { month } = state
  const sameMonth = receipt.month === month.name
  const tokens = take(state.tokens, usedTokens - receipt.minuteTokens)
  return {
    requests: state.requests,
    tokens: { ...tokens, level: Math.min(tokens.level, allowance.tokensPerMinute) },
    month: sameMonth
      ? { name: month.name, tokens: month.tokens + usedTokens - receipt.monthTokens }
      : month,
  }
}

function standingOf(state: MeterState, allowance: Allowance): Standing {
  const { requestsPerMinute, tokensPerMinute } = allowance
  return {
    remainingRequests: Math.max(0, Math.floor(state.requests.level)),
    remainingTokens: Math.max(0, Math.floor(state.tokens.level)),
    resetRequestsMs: waitFor(state.requests, requestsPerMinute, requestsPerMinute),
    resetTokensMs: waitFor(state.tokens, tokensPerMinute, tokensPerMinute),
  }
}
