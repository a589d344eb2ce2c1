/** One worker that jobs can be sent to. */
export interface WorkerEntry {
  /** Base URL without a slash at the end. It is also the worker's name in rendezvous hashing. */
  readonly url: string
  /** Ids of the models it serves; undefined where the source of the address does not know. */
  readonly models?: readonly string[] | undefined
}

/** Where the edge learns which workers there are. They come and go between two calls. */
export interface WorkerDirectory {
  /** May be empty. Rejects when nothing is known, not even from before. */
  list(): Promise<readonly WorkerEntry[]>
}

/** Workers that are always the same. */
export function createStaticDirectory(urls: readonly string[]): WorkerDirectory {
  const entries = urls.map((url) => ({ url }))
  return { list: () => Promise.resolve(entries) }
}

/**
 * The workers of several sources, each once, at most `workersMax`. A source that fails takes
 * nothing from the others; rejects when all fail.
 */
export function joinDirectories(
  directories: readonly WorkerDirectory[],
  { workersMax }: { workersMax: number },
): WorkerDirectory {
  const [only] = directories
  if (only !== undefined && directories.length === 1) return only
  return {
    async list() {
      const results = await Promise.allSettled(directories.map((directory) => directory.list()))
      const found = results.flatMap((result) => (result.status === 'fulfilled' ? [result] : []))
      const [failed] = results.flatMap((result) => (result.status === 'rejected' ? [result] : []))
      if (found.length === 0 && failed !== undefined) throw failed.reason
      const entries = new Map<string, WorkerEntry>()
      for (const entry of found.flatMap(({ value }) => value)) {
        // A source that knows the models says more than one that does not.
        if (entries.get(entry.url)?.models === undefined) entries.set(entry.url, entry)
      }
      return [...entries.values()].slice(0, workersMax)
    },
  }
}

/**
 * Asks a source at most once in `cacheMs`, and goes on with its last answer where it fails. Holds
 * values and no promises: on Workers a request must not wait for another one's.
 */
export function cacheDirectory(
  directory: WorkerDirectory,
  { cacheMs, clock }: { cacheMs: number; clock: () => number },
): WorkerDirectory {
  let known: { entries: readonly WorkerEntry[]; at: number } | undefined
  return {
    async list() {
      if (known !== undefined && clock() - known.at < cacheMs) return known.entries
      try {
        known = { entries: await directory.list(), at: clock() }
      } catch (error) {
        if (known === undefined) throw error
        known = { ...known, at: clock() }
      }
      return known.entries
    },
  }
}
