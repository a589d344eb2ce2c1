/**
 * Results of `make` for each index from `first` to before `end`, in order. While the caller is busy
 * with one, `ahead` others are under way or waiting.
 */
export async function* inOrder<T>(
  make: (index: number) => Promise<T>,
  [first, end]: readonly [number, number],
  ahead: number,
): AsyncGenerator<T> {
  const underWay: Promise<T>[] = []
  let next = first
  const fill = (): void => {
    while (next < end && underWay.length < ahead) underWay.push(begun(make(next++)))
  }
  try {
    for (fill(); underWay.length > 0;) {
      const result = await underWay.shift()!
      fill() // before the caller goes on: whoever made this one would be idle meanwhile
      yield result
    }
  } finally {
    await Promise.allSettled(underWay)
  }
}

/** Its failure is reported when its turn comes, and is not unhandled before. */
function begun<T>(result: Promise<T>): Promise<T> {
  result.catch(() => undefined)
  return result
}
