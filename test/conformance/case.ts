import type { FakeWorkerOptions } from '../../edge/src/test-support/fake-worker.ts'

/** A running stack as a client sees it. */
export interface Target {
  /** No trailing slash. */
  readonly edgeUrl: string
  readonly workerUrl: string
  readonly key: string
  readonly model: string
}

/** Something a stock client must be able to do. Throws when it cannot. */
export interface ConformanceCase {
  readonly name: string
  readonly run: (target: Target) => Promise<void>
}

/** A running edge whose worker does what a case says. */
export interface ScriptedTarget extends Omit<Target, 'workerUrl'> {
  /** From now on the worker behaves like this. */
  readonly play: (behaviour: FakeWorkerOptions) => void
}

/** How a stock client must take what goes wrong behind the edge. */
export interface ScriptedCase {
  readonly name: string
  readonly run: (target: ScriptedTarget) => Promise<void>
}

/** The cases of one client. */
export interface ConformanceSuite {
  readonly client: string
  /** What it is made of, as npm names it; empty for one that comes with Node. */
  readonly packages: readonly string[]
  readonly cases: readonly ConformanceCase[]
  readonly failures: readonly ScriptedCase[]
}

/** A prompt whose answer is a known JSON record, from the tasks the bundled model was trained on. */
export const ORDER = '[order] Please send 3 hats, 12 pears to Ada, Paris. Delivery: Monday.'
export const STORY = 'Tell me a short story about a fox.'

export const userSays = (content: string) => [{ role: 'user' as const, content }]

/** Jobs the worker has not finished. */
export async function activeJobs({ workerUrl }: Target): Promise<number> {
  const answer = await fetch(`${workerUrl}/readyz`)
  return ((await answer.json()) as { activeJobs: number }).activeJobs
}

/** Waits until the worker has nothing left to do. The caller's own time limit ends the wait. */
export async function idle(target: Target): Promise<void> {
  while ((await activeJobs(target)) > 0) await new Promise((resolve) => setTimeout(resolve, 20))
}
