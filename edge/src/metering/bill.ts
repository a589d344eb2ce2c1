import { ApiError } from '@setblock/shared'
import type { Job, JobEvent } from '@setblock/shared'
import type { Context } from 'hono'
import type { EdgeBindings, EdgeDeps } from '../deps.ts'
import { waitUntil } from '../http/wait-until.ts'
import type { EdgeLimits } from '../limits.ts'
import type { TextUsage } from '../text/text-events.ts'
import type { Verdict } from './meter.ts'
import { rateLimitHeaders } from './rate-limit-headers.ts'

/** What one job has cost so far. The worker's own account replaces the count when it comes. */
export class Tally {
  promptTokens = 0
  completionTokens = 0
  forwards = 0

  /** Counts along, for jobs that are cut short. */
  see(event: JobEvent): void {
    if (event.type === 'start') this.promptTokens = event.promptTokens
    if (event.type === 'reveal') {
      this.completionTokens += event.tokenIds.length
      this.forwards += 1
    }
  }

  /** The usage that the client is told is what is billed. */
  end({ promptTokens, completionTokens, forwardPasses }: TextUsage): void {
    this.promptTokens = promptTokens
    this.completionTokens = completionTokens
    this.forwards = (forwardPasses.prefill ?? 0) + forwardPasses.decode
  }
}

/** The account of one generation request: charged by estimate, settled by use. */
export interface Bill {
  /** A new line for one of the request's jobs. */
  tally(): Tally
  /** Settles and writes the usage record, in the background; once, whatever ended the request. */
  close(status: string): void
}

/**
 * Charges the caller's key for a request, or throws `rate_limit_exceeded` or `insufficient_quota`.
 * `bounded` says that the client itself set how many tokens there may be.
 * The rate limit headers are set either way.
 */
export async function openBill(
  c: Context<EdgeBindings>,
  deps: EdgeDeps,
  request: { jobs: readonly Job[]; bounded: boolean },
): Promise<Bill> {
  const { keyId, allowance, tenant } = c.var.owner
  const estimatedTokens = estimate(request.jobs, request.bounded, deps.limits)
  const verdict = await deps.meter.admit(keyId, allowance, estimatedTokens)
  for (const [name, value] of Object.entries(rateLimitHeaders(allowance, verdict.standing))) {
    c.header(name, value)
  }
  if (!verdict.admitted) {
    deps.metrics.limited(verdict.reason)
    throw refusal(verdict, estimatedTokens)
  }

  const { receipt } = verdict
  const first = request.jobs[0] as Job
  const tallies: Tally[] = []
  const startedAt = deps.clock()
  const sum = (count: (tally: Tally) => number) =>
    tallies.reduce((total, tally) => total + count(tally), 0)

  async function close(status: string): Promise<void> {
    // The jobs of a request share its prompt, which is counted once.
    const promptTokens = Math.max(0, ...tallies.map((tally) => tally.promptTokens))
    const completionTokens = sum((tally) => tally.completionTokens)
    const usedTokens = promptTokens + completionTokens
    await Promise.all([
      deps.meter.settle({ keyId, allowance, receipt, usedTokens }),
      deps.usage.record({
        id: first.id,
        at: startedAt,
        tenant,
        keyId,
        model: first.model,
        mode: first.decoding.mode,
        status,
        promptTokens,
        completionTokens,
        forwards: sum((tally) => tally.forwards),
        durationMs: deps.clock() - startedAt,
      }),
    ])
  }
  let closed = false
  return {
    tally() {
      const tally = new Tally()
      tallies.push(tally)
      return tally
    },
    close(status) {
      if (closed) return
      closed = true
      const { requestId } = c.var.record
      const report = (error: unknown) =>
        deps.log({ event: 'unsettled-bill', requestId, reason: String(error) })
      waitUntil(c, close(status).catch(report))
    },
  }
}

/** Tokens that a request may need; a job without a bound of its own is expected to stay below one. */
function estimate(jobs: readonly Job[], bounded: boolean, limits: EdgeLimits): number {
  const completion = jobs.map(({ maxTokens }) =>
    bounded ? maxTokens : Math.min(maxTokens, limits.completionEstimateTokens),
  )
  const promptTokens = jobs[0]?.tokenIds.length ?? 0
  return promptTokens + completion.reduce((sum, tokens) => sum + tokens, 0)
}

function refusal(verdict: Verdict & { admitted: false }, estimatedTokens: number): ApiError {
  const { reason, retryAfterMs } = verdict
  const asked = `this request may need ${estimatedTokens} tokens`
  switch (reason) {
    case 'requests':
      return new ApiError('rate_limit_exceeded', 'too many requests a minute for this key', {
        retryAfterSeconds: retryAfterMs / 1000,
      })
    case 'tokens':
      return new ApiError(
        'rate_limit_exceeded',
        `too many tokens a minute for this key: ${asked}`,
        {
          retryAfterSeconds: retryAfterMs / 1000,
        },
      )
    case 'quota':
      return new ApiError(
        'insufficient_quota',
        `the month's quota of this key does not allow it: ${asked}`,
      )
  }
}
