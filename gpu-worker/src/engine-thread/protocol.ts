import type { Job, JobEvent, Manifest } from '@setblock/shared'

/** What the engine thread is started with. Plain data: it crosses the thread boundary. */
export interface EngineThreadOptions {
  readonly modelFolder: string
  readonly precision: 'int8' | 'fp32'
  /** 0: by the size of the graph, see chooseThreads. */
  readonly threads: number
  readonly spinning: boolean
  readonly runningMax: number
}

/** Main thread -> engine thread. */
export type EngineCommand =
  | { readonly type: 'submit'; readonly job: Job }
  | { readonly type: 'cancel'; readonly jobId: string }
  | { readonly type: 'stop' }

/** Engine thread -> main thread. */
export type EngineMessage =
  | { readonly type: 'ready'; readonly manifest: Manifest }
  | { readonly type: 'event'; readonly jobId: string; readonly event: JobEvent }
  /** One forward failed; its jobs were answered. */
  | { readonly type: 'fault'; readonly message: string }
  /** The thread cannot go on. */
  | { readonly type: 'failed'; readonly message: string }
