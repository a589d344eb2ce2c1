import type { GraphFile, Job, JobEvent, Manifest } from '@setblock/shared'
import type { DeviceChoice, Precision } from '../engine/device.ts'
import type { KvBlock } from '../scheduler/kv-carry.ts'
import type { CostPoint } from '../scheduler/row-cost.ts'
import type { SchedulerStats } from '../scheduler/scheduler.ts'

/** What the engine thread is started with. Plain data: it crosses the thread boundary. */
export interface EngineThreadOptions {
  readonly modelFolder: string
  /** The CPU if absent. */
  readonly device?: DeviceChoice
  /** The device's best that the model has, if absent. */
  readonly precision?: Precision | undefined
  /** 0: by the size of the graph, see chooseThreads. */
  readonly threads: number
  /** Cores that this model may use; all of the machine's if absent. */
  readonly cores?: number
  readonly spinning: boolean
  /** Threads that hold the model, each running jobs of its own; 0: by size and cores, see chooseThreads. */
  readonly engines: number
  /** Jobs that share a forward; fewer where their caches do not fit kvBytesMax. */
  readonly runningMax: number
  /** Host memory for the caches of all sequences of all engines; KV_BYTES_MAX_DEFAULT if absent. */
  readonly kvBytesMax?: number
  /** What a first engine of the same kind measured; absent for that one. */
  readonly measured?: Measured
  /** One int32: how many engines of this model have jobs. Written by the main thread alone. */
  readonly busyEngines: SharedArrayBuffer
}

/** How the engine runs on this machine. Infinity crosses the thread boundary as it is. */
export interface Measured {
  /** How many engines should hold the model. */
  readonly engines: number
  readonly cost: readonly CostPoint[]
  /** Whether the machine was so busy that the cost is rough. */
  readonly costIsRough: boolean
  readonly wideFromRows: number
}

/** The known keys and values that a job starts with; without it none are handed back either. */
export interface CarriedBlocks {
  readonly blockTokens: number
  readonly prefix: readonly KvBlock[]
}

/** What the JavaScript of one thread holds, bytes; Node's own metrics are of the main thread alone. */
export interface ThreadMemory {
  readonly heapBytes: number
  /** Outside of the heap: arrays, the caches of running jobs among them. */
  readonly externalBytes: number
}

/** Main thread -> engine thread. */
export type EngineCommand =
  | { readonly type: 'submit'; readonly job: Job; readonly carry?: CarriedBlocks | undefined }
  | { readonly type: 'cancel'; readonly jobId: string }
  | { readonly type: 'stop' }

/** An event and whose it is. */
export interface AddressedEvent {
  readonly jobId: string
  readonly event: JobEvent
}

/** Engine thread -> main thread. */
export type EngineMessage =
  | {
      readonly type: 'ready'
      readonly manifest: Manifest
      /** The graph that runs, and on what. */
      readonly form: GraphFile
      /** Jobs that share a forward: as many as asked for, or as their caches leave room for. */
      readonly runningMax: number
      readonly measured: Measured
    }
  | { readonly type: 'stats'; readonly stats: SchedulerStats; readonly memory: ThreadMemory }
  | { readonly type: 'events'; readonly events: readonly AddressedEvent[] }
  /** What a job added to its prefix; comes before the job's last event. */
  | { readonly type: 'kept'; readonly jobId: string; readonly blocks: readonly KvBlock[] }
  /** One forward failed; its jobs were answered. */
  | { readonly type: 'fault'; readonly message: string }
  /** The thread cannot go on. */
  | { readonly type: 'failed'; readonly message: string }
