import type { FakeWorkerOptions, Refusal } from '../../edge/src/test-support/fake-worker.ts'
import { revealsOf, startOf, write } from '../../edge/src/test-support/scripts.ts'

export const TEXT = 'The little boat'

/** Refuses the first job as a full queue does, and serves the next. */
export function busyOnce(): FakeWorkerOptions & { readonly offers: () => number } {
  let offers = 0
  return {
    script: write(TEXT),
    refuse: () => {
      offers += 1
      return offers === 1 ? refusal(429, 'overloaded', 'rate_limit_error') : undefined
    },
    offers: () => offers,
  }
}

/** Refuses every job, as a worker that goes down does. */
export function draining(): FakeWorkerOptions & { readonly offers: () => number } {
  let offers = 0
  return {
    refuse: () => {
      offers += 1
      return refusal(503, 'worker_draining', 'overloaded')
    },
    offers: () => offers,
  }
}

/** Writes text, then fails with an event. */
export const failsLater: FakeWorkerOptions = {
  script: (job, answer) => {
    const message = 'the job took too long'
    const error = { type: 'error', code: 'deadline_exceeded', message, retryable: true } as const
    answer.send(startOf(job), ...revealsOf(job, TEXT), error)
  },
}

/** Writes text and hangs up without an end. */
export const breaksOff: FakeWorkerOptions = {
  script: (job, answer) => answer.send(startOf(job), ...revealsOf(job, TEXT)),
}

/** Accepts, which resolves `begun`, and says nothing until the edge leaves. */
export function silent(): FakeWorkerOptions & { readonly begun: Promise<void> } {
  const { promise: begun, resolve } = Promise.withResolvers<void>()
  const script: FakeWorkerOptions['script'] = async (_job, answer) => {
    resolve()
    await answer.left
  }
  return { script, begun }
}

function refusal(status: number, code: string, type: string): Refusal {
  const error = { message: 'not now', type, param: null, code }
  return { status, headers: { 'retry-after': '1' }, body: JSON.stringify({ error }) }
}
