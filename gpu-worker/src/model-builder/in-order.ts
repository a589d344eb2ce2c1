/**
 * Results of `make` for each index from `first` to before `end`, in order. At most `ahead` of them
 * are under way or waiting while the caller is busy with an earlier one.
 */
export async function* inOrder<T>(
  make: (index: number) => Promise<T>,
  [first, end]: readonly [number, number],
  ahead: number,
): AsyncGenerator<T> {
  const underWay: Promise<T>[] = []
  try {
    for (let next = first; next < end || underWay.length > 0;) {
      while (next < end && underWay.length < ahead) underWay.push(begun(make(next++)))
      yield await underWay.shift()!
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
