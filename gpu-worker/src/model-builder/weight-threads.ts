import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'

import { ModelError } from '../engine/model-error.ts'
import { BUILD_THREADS_MAX } from './limits.ts'
import type { SourceOptions } from './source.ts'
import type { GraphForm } from './targets.ts'
import type { MadeWeights, WeightMaker } from './weight-maker.ts'

/** What a thread opens: it finds the same graph there as the caller, with sources in the same order. */
export interface WeightPlan {
  readonly folder: string
  readonly source: SourceOptions & { readonly fallbackId: string }
  readonly form: GraphForm
}

/** A thread's answer; what a ModelError says crosses as plain data. */
export type ThreadReply =
  | { readonly made: MadeWeights }
  | { readonly refused: { readonly subject: string; readonly problem: string } }

/** Threads that make weights: one for each core, as far as memory for their results allows. */
export function buildThreads(): number {
  return Math.min(availableParallelism(), BUILD_THREADS_MAX)
}

/** Makes weights on threads of its own, each of which opens the checkpoint for itself. */
export class WeightThreads implements WeightMaker {
  readonly ahead: number
  readonly #plan: WeightPlan
  readonly #all: Worker[] = []
  readonly #idle: Worker[] = []

  constructor(plan: WeightPlan, threads: number) {
    this.#plan = plan
    this.ahead = threads
  }

  /** @throws ModelError as the checkpoint's own weights do. */
  async make(index: number): Promise<MadeWeights> {
    const thread = this.#idle.pop() ?? this.#start()
    const answer = once(thread, 'message') as Promise<[ThreadReply]>
    thread.postMessage(index)
    const [reply] = await answer
    this.#idle.push(thread)
    if ('made' in reply) return reply.made
    throw new ModelError(reply.refused.subject, reply.refused.problem)
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((thread) => thread.terminate()))
  }

  #start(): Worker {
    const url = new URL('./weight-thread.ts', import.meta.url)
    // Without the flags of this process, such as --eval, which are not meant for a thread's file.
    const thread = new Worker(url, { workerData: this.#plan, execArgv: [] })
    this.#all.push(thread)
    return thread
  }
}
