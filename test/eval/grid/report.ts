import { pairedDifference, type Difference } from '../bootstrap.ts'
import type { Measured, Part } from './measure.ts'
import { svgPlot, type Series } from './plot.ts'
import { BLOCK_LENGTHS, GAMMAS, RULES, sbdName } from './settings.ts'
import type { StoryMeasured } from './stories.ts'

/** One setting over all tasks; every row counts the same. */
export interface Line {
  readonly name: string
  readonly accuracy: number
  /** Against `ntp` of the control, row by row. */
  readonly difference: Difference
  readonly validJson: number | null
  readonly tokensPerForward: number
  readonly forwards: number
  readonly wallMs: number
}

/** Settings that every part has measured. `control`: right or wrong of each row by its `ntp`, in the order of the parts. */
export function linesOf(parts: readonly Part[], control: readonly boolean[]): Line[] {
  const names = Object.keys(parts[0] ?? {}).filter((name) => parts.every((part) => part[name]))
  return names.map((name) => {
    const all = parts.map((part) => part[name] as Measured)
    const right = all.flatMap(({ right: bits }) => booleans(bits))
    const valid = all.flatMap(({ validJson }) => booleans(validJson ?? ''))
    const sum = (value: (measured: Measured) => number): number =>
      all.reduce((total, measured) => total + value(measured), 0)
    const forwards = sum((measured) => measured.forwards)
    return {
      name,
      accuracy: meanOf(right),
      difference: pairedDifference(control, right),
      validJson: valid.length === 0 ? null : meanOf(valid),
      tokensPerForward: sum((measured) => measured.tokens) / forwards,
      forwards,
      wallMs: sum((measured) => measured.wallMs),
    }
  })
}

export function booleans(bits: string): boolean[] {
  return Array.from(bits, (bit) => bit === '1')
}

const meanOf = (values: readonly boolean[]): number => values.filter(Boolean).length / values.length
const percent = (share: number): string => (100 * share).toFixed(1)

export function table(lines: readonly Line[]): string {
  const rows = lines.map(
    ({ name, accuracy, difference: d, validJson, tokensPerForward, forwards, wallMs }) =>
      `| ${name} | ${percent(accuracy)} | ${percent(d.mean)} [${percent(d.low)}, ${percent(d.high)}] | ` +
      `${validJson === null ? '-' : percent(validJson)} | ${tokensPerForward.toFixed(2)} | ${forwards} | ${(wallMs / 1000).toFixed(1)} |`,
  )
  return [
    '| setting | accuracy % | points against control [95 %] | valid JSON % | tokens per forward | forwards | wall s |',
    '|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n')
}

export function storyTable(stories: Readonly<Record<string, StoryMeasured>>): string {
  const rows = Object.entries(stories).map(
    ([name, s]) =>
      `| ${name} | ${s.perplexity.toFixed(2)} | ${s.distinct1.toFixed(2)} | ${s.distinct2.toFixed(2)} | ` +
      `${(s.tokens / s.forwards).toFixed(2)} | ${s.forwards} | ${(s.wallMs / 1000).toFixed(1)} |`,
  )
  return [
    '| setting | perplexity | distinct-1 | distinct-2 | tokens per forward | forwards | wall s |',
    '|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n')
}

type Value = (line: Line) => number

/** One curve for each rule and block length that was measured at every γ. */
function curves(
  lines: readonly Line[],
  x: (line: Line, gamma: number) => number,
  y: Value,
): Series[] {
  const byName = new Map(lines.map((line) => [line.name, line]))
  return RULES.flatMap((rule) =>
    BLOCK_LENGTHS.flatMap((length) => {
      const points = GAMMAS.flatMap((gamma) => {
        const line = byName.get(sbdName(rule, length, gamma))
        return line ? [{ x: x(line, gamma), y: y(line) }] : []
      })
      return points.length === GAMMAS.length ? [{ name: `${rule} k=${length}`, points }] : []
    }),
  )
}

export function accuracyPlot(lines: readonly Line[], controlAccuracy: number): string {
  return svgPlot({
    title: 'Accuracy against forwards, all tasks (points: γ from right to left 0 to 1.5)',
    xLabel: 'decode forwards',
    yLabel: 'right answers, %',
    series: curves(
      lines,
      (line) => line.forwards,
      (line) => 100 * line.accuracy,
    ),
    reference: { name: 'ntp control', y: 100 * controlAccuracy },
  })
}

export function timePlot(lines: readonly Line[]): string {
  const ntp = lines.find(({ name }) => name === 'ntp')
  return svgPlot({
    title: 'Wall time against γ, all tasks',
    xLabel: 'γ, nats',
    yLabel: 'seconds',
    series: curves(
      lines,
      (_line, gamma) => gamma,
      (line) => line.wallMs / 1000,
    ),
    ...(ntp ? { reference: { name: 'ntp', y: ntp.wallMs / 1000 } } : {}),
  })
}
