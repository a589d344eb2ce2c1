import { ANY, type CodePoints, type Span } from './code-points.ts'

/** Code points that no set tells from each other. */
export type Letter = number

/** A run of code points of one letter. */
export interface Run {
  readonly low: number
  readonly high: number
  readonly letter: Letter
}

/** The characters, divided into letters: as few as tell apart the sets that a language speaks of. */
export class Alphabet {
  /** In order; together all characters. */
  readonly runs: readonly Run[]
  readonly letterCount: number
  readonly #masks = new Map<string, bigint>()

  constructor(sets: readonly CodePoints[]) {
    const different = new Map(sets.map((set) => [keyOf(set), set]))
    const spans = cut(ANY, [...different.values()])
    const membership = spans.map((): number[] => [])
    for (const [index, set] of [...different.values()].entries()) {
      for (const at of within(spans, set)) membership[at]?.push(index)
    }
    const letters = new Map<string, Letter>()
    this.runs = spans.map(([low, high], at) => {
      const key = membership[at]?.join() ?? ''
      const letter = letters.get(key) ?? letters.size
      letters.set(key, letter)
      return { low, high, letter }
    })
    this.letterCount = letters.size
    for (const [key, set] of different) {
      const letters = new Set(within(spans, set).map((at) => this.runs[at]?.letter ?? 0))
      this.#masks.set(
        key,
        [...letters].reduce((mask, letter) => mask | (1n << BigInt(letter)), 0n),
      )
    }
  }

  /** The letters of one of the sets the alphabet was made from, as bits. */
  maskOf(set: CodePoints): bigint | undefined {
    return this.#masks.get(keyOf(set))
  }

  get all(): bigint {
    return (1n << BigInt(this.letterCount)) - 1n
  }

  runsByLetter(): Run[][] {
    const found = Array.from({ length: this.letterCount }, (): Run[] => [])
    for (const run of this.runs) found[run.letter]?.push(run)
    return found
  }

  /** The index of the run that a character is in, or of the first one behind it. */
  indexOf(codePoint: number): number {
    return firstNotBelow(this.runs, codePoint, ({ high }) => high)
  }
}

const keyOf = (set: CodePoints): string => set.join()

/** The spans of `whole`, cut wherever one of the sets begins or ends. */
function cut(whole: CodePoints, sets: readonly CodePoints[]): Span[] {
  const starts = new Set(sets.flatMap((set) => set.flatMap(([low, high]) => [low, high + 1])))
  const sorted = [...starts].toSorted((a, b) => a - b)
  return whole.flatMap(([low, high]) => {
    const inside = sorted.filter((start) => start > low && start <= high)
    return [low, ...inside].map((from, at): Span => [from, (inside[at] ?? high + 1) - 1])
  })
}

/** Indices of the spans that are in the set; none is in it by half. */
function within(spans: readonly Span[], set: CodePoints): number[] {
  return set.flatMap(([low, high]) => {
    const found: number[] = []
    let at = firstNotBelow(spans, low, ([, end]) => end)
    for (; at < spans.length && (spans[at] as Span)[0] <= high; at += 1) found.push(at)
    return found
  })
}

function firstNotBelow<T>(sorted: readonly T[], value: number, of: (item: T) => number): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (of(sorted[middle] as T) < value) low = middle + 1
    else high = middle
  }
  return low
}
