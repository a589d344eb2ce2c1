import type { ObjectStore, StoredObject, StoreTier } from './object-store.ts'

/**
 * A near store in front of a far one that several workers share: what is read from afar stays near.
 * Only for objects that name their own content: the near store does not hear of what others do.
 */
export class TieredStore implements ObjectStore {
  readonly #near: ObjectStore
  readonly #far: ObjectStore

  constructor(near: ObjectStore, far: ObjectStore) {
    this.#near = near
    this.#far = far
  }

  async get(name: string, onFound?: (tier: StoreTier) => void): Promise<Uint8Array | undefined> {
    const near = await this.#near.get(name, onFound).catch(() => undefined)
    if (near !== undefined) return near
    const far = await this.#far.get(name, onFound)
    if (far !== undefined) await this.#near.putNew(name, far).catch(() => false)
    return far
  }

  async putNew(name: string, bytes: Uint8Array): Promise<boolean> {
    await this.#near.putNew(name, bytes).catch(() => false)
    return this.#far.putNew(name, bytes)
  }

  list(folder: string): Promise<StoredObject[]> {
    return this.#far.list(folder)
  }

  async remove(name: string): Promise<void> {
    await Promise.all([this.#near.remove(name), this.#far.remove(name)])
  }
}
