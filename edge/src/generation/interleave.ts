/**
 * Several sources as one, each item with its source's index, in the order they come. A source that
 * always has something ready does not keep the others waiting. The first failure ends it all.
 */
export async function* interleave<Item>(
  sources: readonly AsyncIterable<Item>[],
): AsyncGenerator<{ index: number; item: Item }> {
  const iterators = sources.map((source) => source[Symbol.asyncIterator]())
  const pending = new Map<number, Promise<{ index: number; next: IteratorResult<Item> }>>()
  const advance = (index: number): void => {
    const next = iterators[index]!.next().then((next) => ({ index, next }))
    // Another source may fail first, and then nobody waits for this one any more.
    next.catch(() => undefined)
    // Put back behind the others: the first that is ready wins a race.
    pending.delete(index)
    pending.set(index, next)
  }
  iterators.forEach((_, index) => advance(index))
  try {
    while (pending.size > 0) {
      const { index, next } = await Promise.race(pending.values())
      if (next.done === true) {
        pending.delete(index)
      } else {
        advance(index)
        yield { index, item: next.value }
      }
    }
  } finally {
    for (const iterator of iterators) void iterator.return?.().catch(() => undefined)
  }
}
