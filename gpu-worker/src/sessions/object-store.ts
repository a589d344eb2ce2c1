/** How far away a stored object was found. */
export type StoreTier = 'memory' | 'disk' | 'bucket'

/**
 * Named immutable objects, in a folder or a bucket. A name is path segments of letters, digits,
 * `-` and `_`, joined by `/`. An object is there whole or not at all, and once it is there it never
 * changes: this is what makes readers safe without locks, and `putNew` the fence between writers.
 */
export interface ObjectStore {
  /** The bytes of an object, or undefined where there is none. `onFound` is told where they were. */
  get(name: string, onFound?: (tier: StoreTier) => void): Promise<Uint8Array | undefined>
  /** Durable once resolved. False, and nothing is written, if the name is taken. */
  putNew(name: string, bytes: Uint8Array): Promise<boolean>
  /** Names of the objects below a folder, in no order. */
  list(folder: string): Promise<StoredObject[]>
  /** Does nothing where there is no such object. */
  remove(name: string): Promise<void>
}

export interface StoredObject {
  readonly name: string
  readonly bytes: number
  /** Unix time of the last `putNew`, milliseconds. */
  readonly storedMs: number
}

const NAME = /^[\w-]+(\/[\w-]+)*$/

/** Names are made by us from digests and numbers; anything else would be a path of its own. */
export function assertName(name: string): void {
  if (!NAME.test(name)) throw new Error('an object name must be plain path segments')
}
