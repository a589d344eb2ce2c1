import type { ObjectStore, StoredObject } from './object-store.ts'

/**
 * The objects to remove so that the rest fits into `bytesMax`, the least recently used first.
 * `usedMs` gives the time of use where it is known; a store only knows when an object was written.
 */
export function chooseEvictions(
  objects: readonly StoredObject[],
  bytesMax: number,
  usedMs: (name: string) => number | undefined,
): string[] {
  let bytes = objects.reduce((sum, object) => sum + object.bytes, 0)
  const lastUse = ({ name, storedMs }: StoredObject): number => usedMs(name) ?? storedMs
  const evicted: string[] = []
  for (const object of objects.toSorted((a, b) => lastUse(a) - lastUse(b))) {
    if (bytes <= bytesMax) break
    evicted.push(object.name)
    bytes -= object.bytes
  }
  return evicted
}

/**
 * The objects of sessions that nobody can continue any more: those whose newest version is older
 * than `ageMaxMs`. Age is counted from the newest object of all, never from a clock: a clock that
 * jumps must not empty the store.
 */
export function chooseExpired(objects: readonly StoredObject[], ageMaxMs: number): string[] {
  const newestOf = (group: readonly StoredObject[]): number =>
    group.reduce((newest, { storedMs }) => Math.max(newest, storedMs), 0)
  const now = newestOf(objects)
  const sessions = Map.groupBy(objects, ({ name }) => name.slice(0, name.lastIndexOf('/')))
  return [...sessions.values()]
    .filter((versions) => now - newestOf(versions) > ageMaxMs)
    .flatMap((versions) => versions.map(({ name }) => name))
}

/** That a session was deleted must be known for longer than a turn takes that began before (`deadlineMsMax`). */
const DEAD_KEPT_MS = 3_600_000

/** What `chooseDead` looks at of a session. */
interface Lifetime {
  readonly updatedMs: number
  readonly ttlMs: number
  readonly deleted: boolean
}

/**
 * The sessions of a tenant that were deleted or have expired, and that nobody can be in a turn of any more. Age is
 * counted from the newest one, for the same reason as in `chooseExpired`.
 */
export function chooseDead<Session extends Lifetime>(sessions: readonly Session[]): Session[] {
  const now = sessions.reduce((newest, { updatedMs }) => Math.max(newest, updatedMs), 0)
  return sessions.filter(
    ({ updatedMs, ttlMs, deleted }) => now - updatedMs > (deleted ? 0 : ttlMs) + DEAD_KEPT_MS,
  )
}

/** Removes objects one by one; what cannot be removed is left for the next time. */
export async function removeAll(store: ObjectStore, names: readonly string[]): Promise<number> {
  let removed = 0
  for (const name of names) {
    const gone = await store.remove(name).then(
      () => true,
      () => false,
    )
    if (gone) removed += 1
  }
  return removed
}
