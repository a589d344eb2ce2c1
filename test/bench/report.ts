/** A table of text: first column to the left, the others to the right. */
export function table(
  title: string,
  header: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const cells = [header, ...rows].map((row) => row.map(String))
  const widths = header.map((_, column) =>
    Math.max(...cells.map((row) => (row[column] ?? '').length)),
  )
  const lines = cells.map((row) =>
    row
      .map((cell, column) => cell[column === 0 ? 'padEnd' : 'padStart'](widths[column] as number))
      .join('  ')
      .trimEnd(),
  )
  return ['', title, ...lines, ''].join('\n')
}

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

/** `1.52x`, or a dash for what was not measured. */
export function times(ratio: number | null | undefined): string {
  return ratio === null || ratio === undefined || Number.isNaN(ratio) ? '-' : `${ratio.toFixed(2)}x`
}

/** A ratio beside the bar it must reach, and whether it does. */
export function against(ratio: number | null, bar: { min: number } | { max: number }): string {
  if (ratio === null || Number.isNaN(ratio)) return 'not measured'
  const met = 'min' in bar ? ratio >= bar.min : ratio <= bar.max
  const wanted = 'min' in bar ? `at least ${bar.min}` : `at most ${bar.max}`
  return `${ratio.toFixed(2)} (${wanted}): ${met ? 'met' : 'NOT met'}`
}
