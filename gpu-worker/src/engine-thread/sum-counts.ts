/** Records of one shape whose values are numbers, or such records, added up. At least one. */
export function sumCounts<T extends object>(records: readonly T[]): T {
  const [first] = records
  const sums = Object.entries(first ?? {}).map(([key, value]: [string, unknown]) => {
    const values: unknown[] = records.map((record) => Reflect.get(record, key))
    return [key, typeof value === 'number' ? sum(values) : sumCounts(values as object[])]
  })
  return Object.fromEntries(sums) as T
}

function sum(values: readonly unknown[]): number {
  return values.reduce<number>((total, value) => total + Number(value), 0)
}
