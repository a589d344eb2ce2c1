/** Middle value; the mean of the two in the middle of an even number. NaN of none. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** Linear between neighbours: 0 is the smallest, 1 the largest. NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const at = share * (sorted.length - 1)
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]]
  if (low === undefined || high === undefined) return Number.NaN
  return low + (high - low) * (at - Math.floor(at))
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

/** Median of a[i] / b[i]: of what was measured in pairs, so that a slow moment weighs on both. */
export function pairedRatio(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) throw new Error(`${a.length} values cannot pair with ${b.length}`)
  return median(a.map((value, index) => value / (b[index] as number)))
}

/** Median of each column of equally long rows. */
export function columnMedians(rows: readonly (readonly number[])[]): number[] {
  const [first = []] = rows
  return first.map((_, column) => median(rows.map((row) => row[column] as number)))
}

/** Longest over median gap: 1 is an even stream. NaN of no gaps. */
export function unevenness(gaps: readonly number[]): number {
  return Math.max(...gaps) / median(gaps)
}

export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
