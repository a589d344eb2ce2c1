/** Bytes of a graph below which handing work to a second thread costs more than it saves. */
const ONE_THREAD_GRAPH_BYTES = 32 * 1024 * 1024

/**
 * Threads of one forward. A small model's forward takes well under a millisecond, most of it in
 * nodes too short to share: an 8 MB graph took 0.39 ms with one thread and 0.58 ms with two
 * (bench/rows.ts, one row, no spinning).
 */
export function chooseThreads(options: { graphBytes: number; cores: number }): number {
  return options.graphBytes < ONE_THREAD_GRAPH_BYTES ? 1 : options.cores
}
