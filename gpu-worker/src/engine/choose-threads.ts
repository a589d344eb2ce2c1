/** Bytes of a graph below which handing every operator to other threads costs more than it saves. */
const ONE_THREAD_GRAPH_BYTES = 32 * 1024 * 1024

/** More threads than this have nothing to share in a small graph. */
const WIDE_THREADS_MAX = 4

/** More engines than this are another worker's business. */
export const ENGINES_MAX = 16

export interface ThreadChoice {
  /** Engines that hold the model side by side, each running jobs of its own. */
  readonly engines: number
  /** Threads of one forward. */
  readonly threads: number
  /** Threads of a forward with many rows, if measuring shows that they pay. */
  readonly wideThreads?: number
}

/**
 * Engines and threads by size and cores. A small model's forward with few rows takes well under a
 * millisecond, most of it in operators too short to share, so several engines use the cores; with
 * many rows, and cores that no other engine wants, several threads may pay, which is measured at
 * start. A large model's forward is shared by all cores.
 *
 * @param engines 0: as many as the cores carry
 */
export function chooseThreads(machine: {
  graphBytes: number
  cores: number
  engines: number
}): ThreadChoice {
  const { graphBytes, cores } = machine
  if (graphBytes >= ONE_THREAD_GRAPH_BYTES) {
    const engines = machine.engines || 1
    return { engines, threads: Math.max(1, Math.floor(cores / engines)) }
  }
  const engines = machine.engines || Math.min(cores, ENGINES_MAX)
  if (cores === 1) return { engines, threads: 1 }
  return { engines, threads: 1, wideThreads: Math.min(cores, WIDE_THREADS_MAX) }
}
