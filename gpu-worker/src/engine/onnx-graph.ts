import './no-telemetry.ts'

import { InferenceSession, Tensor } from 'onnxruntime-node'

import { ModelError } from './model-error.ts'

/**
 * The only file that knows onnxruntime-node: everything else speaks of graphs, feeds and tensors.
 */

export interface RuntimeOptions {
  /** What runs the graph; the CPU if absent. Several WebGPU graphs share the process's one device. */
  readonly provider?: 'cpu' | 'webgpu' | 'cuda'
  /** Outputs stay on the device instead of being copied from it; for WebGPU. */
  readonly outputsOnDevice?: boolean
  /** Threads of one forward. */
  readonly threads: number
  /** Whether waiting threads spin: answers sooner, at the price of a busy core between forwards. */
  readonly spinning: boolean
  /** Writes a profile of every node to `<prefix>_<time>.json` when disposed; for benches. */
  readonly profilePrefix?: string
  /** False: the graph runs as it is written, equal nodes and all; for benches. */
  readonly optimised?: boolean
}

/** A tensor on the host, or one that a graph left on the device. */
export type Feed = Tensor
export type Feeds = Readonly<Record<string, Feed>>
export type Outputs = Readonly<Record<string, Tensor>>

export class OnnxGraph {
  readonly #ortSession: InferenceSession

  private constructor(ortSession: InferenceSession) {
    this.#ortSession = ortSession
  }

  /**
   * `file`: its bytes, or its path where weights lie in files beside it.
   *
   * @throws ModelError if the runtime refuses it.
   */
  static async load(file: Uint8Array | string, options: RuntimeOptions): Promise<OnnxGraph> {
    const { threads, spinning, profilePrefix, optimised = true } = options
    const { provider = 'cpu', outputsOnDevice = false } = options
    try {
      const settings: InferenceSession.SessionOptions = {
        executionProviders: [provider],
        graphOptimizationLevel: optimised ? 'all' : 'disabled',
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        enableMemPattern: false, // patterns are per shape, and shapes change from run to run
        logSeverityLevel: 3,
        ...(profilePrefix && { enableProfiling: true, profileFilePrefix: profilePrefix }),
        ...(outputsOnDevice && { preferredOutputLocation: 'gpu-buffer' }),
        extra: { session: { intra_op: spinOptions(spinning), ...NO_FALLBACK[provider] } },
      }
      const ortSession =
        typeof file === 'string'
          ? await InferenceSession.create(file, settings)
          : await InferenceSession.create(file, settings)
      return new OnnxGraph(ortSession)
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new ModelError('graph', `is refused by the runtime: ${reason}`, { cause })
    }
  }

  get inputNames(): readonly string[] {
    return this.#ortSession.inputNames
  }

  /**
   * Blocks the thread until done. The outputs are copies, and belong to the caller. Those of
   * `inPlace` are written into the tensors given for them, which may be feeds of the same run.
   */
  run(feeds: Feeds, outputs: readonly string[], inPlace: Feeds = {}): Promise<Outputs> {
    const fetches = Object.fromEntries(outputs.map((name) => [name, null]))
    return this.#ortSession.run(feeds, { ...fetches, ...inPlace })
  }

  dispose(): Promise<void> {
    return this.#ortSession.release()
  }
}

/** A node that WebGPU has no kernel for refuses the graph: it must not run on the CPU unnoticed. */
const NO_FALLBACK = { cpu: {}, cuda: {}, webgpu: { disable_cpu_ep_fallback: '1' } } as const

/**
 * A waiting thread spins for so long, then sleeps: longer than the gap between two parallel parts of
 * a forward, shorter than that between two forwards, which would burn a core for nothing.
 */
const SPIN_US = 50

function spinOptions(spinning: boolean) {
  return spinning
    ? { allow_spinning: '1', spin_duration_us: String(SPIN_US) }
    : { allow_spinning: '0' }
}

/** A feed that refers to `data`, not to a copy of it. */
export function tensor(
  data: Float32Array | Uint16Array | Int32Array | BigInt64Array,
  shape: readonly number[],
): Tensor {
  if (data instanceof Float32Array) return new Tensor('float32', data, shape)
  // The bits of float16, for which there is no array of its own here.
  if (data instanceof Uint16Array) return new Tensor('float16', data, shape)
  if (data instanceof Int32Array) return new Tensor('int32', data, shape)
  return new Tensor('int64', data, shape)
}
