import { assertName, type ObjectStore, type StoredObject, type StoreTier } from './object-store.ts'

/** Objects that live as long as the process: for a worker without a folder, and for tests. */
export class MemoryStore implements ObjectStore {
  readonly #objects = new Map<string, { bytes: Uint8Array; storedMs: number }>()

  async get(name: string, onFound?: (tier: StoreTier) => void): Promise<Uint8Array | undefined> {
    const bytes = this.#objects.get(name)?.bytes
    if (bytes !== undefined) onFound?.('memory')
    return bytes
  }

  async putNew(name: string, bytes: Uint8Array): Promise<boolean> {
    assertName(name)
    if (this.#objects.has(name)) return false
    this.#objects.set(name, { bytes: bytes.slice(), storedMs: Date.now() })
    return true
  }

  async list(folder: string): Promise<StoredObject[]> {
    const below = [...this.#objects].filter(([name]) => name.startsWith(`${folder}/`))
    return below.map(([name, { bytes, storedMs }]) => ({
      name,
      bytes: bytes.byteLength,
      storedMs,
    }))
  }

  async remove(name: string): Promise<void> {
    this.#objects.delete(name)
  }
}
