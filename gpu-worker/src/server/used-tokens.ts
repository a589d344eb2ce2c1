/**
 * Which job tokens were taken already, as long as each would still be good. Bounded: beyond that
 * many in one lifetime the oldest is forgotten first.
 */
export class UsedTokens {
  readonly #entriesMax: number
  /** Nonce to expiry, Unix milliseconds; in the order they came, which is nearly that of expiry. */
  readonly #expiries = new Map<string, number>()

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax
  }

  get size(): number {
    return this.#expiries.size
  }

  /** Takes a token; false if it was taken before. */
  take({ nonce, expiresAt }: { nonce: string; expiresAt: number }, nowMs: number): boolean {
    if (this.#expiries.has(nonce)) return false
    this.#expiries.set(nonce, expiresAt)
    for (const [oldest, expiry] of this.#expiries) {
      if (expiry > nowMs && this.#expiries.size <= this.#entriesMax) break
      this.#expiries.delete(oldest)
    }
    return true
  }
}
