/** Bytes of a graph below which handing every operator to other threads costs more than it saves. */
const ONE_THREAD_GRAPH_BYTES = 32 * 1024 * 1024

/** More threads than this have nothing to share in a small graph. */
const WIDE_THREADS_MAX = 4

export interface ThreadChoice {
  /** Threads of one forward. */
  readonly threads: number
  /** Threads of a forward with many rows, if measuring shows that they pay. */
  readonly wideThreads?: number
}

/**
 * Threads by size and cores. A small model's forward with few rows takes well under a millisecond,
 * most of it in operators too short to share; with many rows it depends on what else the machine
 * does, so that is measured at start.
 */
export function chooseThreads(options: { graphBytes: number; cores: number }): ThreadChoice {
  const { graphBytes, cores } = options
  if (cores === 1) return { threads: 1 }
  if (graphBytes >= ONE_THREAD_GRAPH_BYTES) return { threads: cores }
  return { threads: 1, wideThreads: Math.min(cores, WIDE_THREADS_MAX) }
}
