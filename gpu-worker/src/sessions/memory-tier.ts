import { assert } from '@setblock/shared'

/**
 * Blocks of keys and values in host memory under a byte budget; the least recently used leave
 * first. Data is never changed once it is in.
 */
export class MemoryTier<Data extends { readonly byteLength: number }> {
  readonly #bytesMax: number
  /** In order of use, the least recent first. */
  readonly #blocks = new Map<string, Data>()
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  get(key: string): Data | undefined {
    return this.#blocks.get(key)
  }

  has(key: string): boolean {
    return this.#blocks.has(key)
  }

  /** Keeps a block if the budget has room for it at all; the caller must not change `data` afterwards. */
  put(key: string, data: Data): void {
    if (data.byteLength > this.#bytesMax || this.#blocks.has(key)) return
    this.#blocks.set(key, data)
    this.#bytes += data.byteLength
    this.#evict()
  }

  /**
   * Marks the blocks of one prefix as used. The first block ends up as the most recent: a block is
   * of no use without those before it, so the end of a prefix must leave before its beginning.
   */
  touch(keys: readonly string[]): void {
    for (const key of keys.toReversed()) {
      const data = this.#blocks.get(key)
      if (data === undefined) continue
      this.#blocks.delete(key)
      this.#blocks.set(key, data)
    }
  }

  #evict(): void {
    for (const [key, data] of this.#blocks) {
      if (this.#bytes <= this.#bytesMax) return
      this.#blocks.delete(key)
      this.#bytes -= data.byteLength
    }
    assert(this.#bytes <= this.#bytesMax, 'an empty cache holds bytes')
  }
}
