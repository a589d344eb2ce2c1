/** Where the turns of sessions go, told by what passes on the ways to the workers. */
export class Affinity {
  readonly #seats = new Map<string, number>()
  /** Turns that each worker got. */
  readonly bySeat: number[] = []
  turns = 0
  /** Turns that another worker got than the one before. */
  moved = 0

  /** Takes bytes on their way to a worker. */
  see(seat: number, chunk: Buffer): void {
    for (const [, id = ''] of chunk.toString('latin1').matchAll(/"session":\{"id":"([^"]+)"/g)) {
      this.turns += 1
      this.bySeat[seat] = (this.bySeat[seat] ?? 0) + 1
      const before = this.#seats.get(id)
      if (before !== undefined && before !== seat) this.moved += 1
      this.#seats.set(id, seat)
    }
  }

  /** The worker that got a session last. */
  seatOf(id: string): number | undefined {
    return this.#seats.get(id)
  }

  /** Of the turns that had one before them. */
  get stayed(): number {
    const continued = this.turns - this.#seats.size
    return continued === 0 ? 1 : (continued - this.moved) / continued
  }
}
