import { percent, table } from '../bench/report.ts'
import type { GroupSummary, PhaseSummary } from './tally.ts'

const COLUMNS = [
  ['rate', 7],
  ['good/s', 8],
  ['good', 9],
  ['tok/s', 7],
  ['429', 6],
  ['errors', 7],
  ['ttft p50', 9],
  ['p95', 7],
  ['p99 ms', 7],
  ['gap p95', 8],
  ['token p95', 10],
] as const

const line = (cells: readonly string[]): string =>
  cells.map((cell, index) => cell.padStart(COLUMNS[index]![1])).join(' ')

export const PHASE_HEADER = line(COLUMNS.map(([name]) => name))

const ms = (value: number | null | undefined): string =>
  value === null || value === undefined ? '-' : value.toFixed(value < 10 ? 1 : 0)

/** Refusals that say when to come back are the plan; everything else is an error. */
const shed = ({ errors }: GroupSummary): number =>
  (errors['overloaded'] ?? 0) + (errors['rate_limit_exceeded'] ?? 0)

const failed = (group: GroupSummary): number =>
  Object.values(group.errors).reduce((sum, count) => sum + count, 0) - shed(group)

/** One line of a phase. */
export function printPhase(phase: PhaseSummary): string {
  return line([
    phase.rate.toFixed(1),
    phase.goodputPerSecond.toFixed(1),
    percent(phase.goodShare),
    phase.tokensPerSecond.toFixed(0),
    String(shed(phase)),
    String(failed(phase)),
    ms(phase.ttftMs['p50']),
    ms(phase.ttftMs['p95']),
    ms(phase.ttftMs['p99']),
    ms(phase.gapMs['p95']),
    ms(phase.perTokenMs['p95']),
  ])
}

/** A phase by mode and γ, and its errors by code. */
export function printGroups(phase: PhaseSummary): string {
  const header = [
    '',
    'sent',
    'done',
    'good/s',
    'tok/s',
    'tok/fwd',
    'ttft p50',
    'p95',
    'gap p95',
    'errors',
  ]
  const rows = Object.entries(phase.groups).map(([name, group]) => [
    name,
    group.sent,
    group.done,
    group.goodputPerSecond.toFixed(1),
    group.tokensPerSecond.toFixed(0),
    group.tokensPerForward?.toFixed(2) ?? '-',
    ms(group.ttftMs['p50']),
    ms(group.ttftMs['p95']),
    ms(group.gapMs['p95']),
    Object.entries(group.errors)
      .map(([code, count]) => `${code} ${count}`)
      .join(', '),
  ])
  const late = `this program was late by ${ms(phase.generatorLateMs)} ms at most`
  return table(`${phase.rate} requests a second for ${phase.seconds} s; ${late}`, header, rows)
}
