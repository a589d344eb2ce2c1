import { build, type Histogram } from 'hdr-histogram-js'
import type { Outcome } from './exchange.ts'
import type { Arrival } from './workload.ts'

/** What an answer must keep to count as good. Milliseconds. */
export interface Slo {
  /** From the moment the request should have been sent. */
  readonly ttftMs: number
  /** Mean, from the first text to the last. */
  readonly perTokenMs: number
}

const QUANTILES = [50, 95, 99] as const
const MICROSECONDS = 1000

/** Latencies to three digits, from a microsecond to an hour. */
class Latencies {
  readonly #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 3_600_000_000,
    numberOfSignificantValueDigits: 3,
  })

  add(ms: number): void {
    this.#histogram.recordValue(Math.max(1, Math.round(ms * MICROSECONDS)))
  }

  /** Milliseconds; null where nothing was added. */
  summary(): Record<string, number | null> {
    const { totalCount } = this.#histogram
    return Object.fromEntries(
      QUANTILES.map((at) => {
        const ms = this.#histogram.getValueAtPercentile(at) / MICROSECONDS
        return [`p${at}`, totalCount === 0 ? null : ms]
      }),
    )
  }
}

/** The figures of one setting, or of all. */
class Group {
  sent = 0
  readonly results = new Map<string, number>()
  good = 0
  tokens = 0
  forwards = 0
  readonly ttft = new Latencies()
  readonly gap = new Latencies()
  readonly perToken = new Latencies()

  add(outcome: Outcome, { dueMs, counts }: { dueMs: number; counts: boolean }, slo: Slo): void {
    this.sent += 1
    this.results.set(outcome.result, (this.results.get(outcome.result) ?? 0) + 1)
    this.tokens += outcome.tokens
    this.forwards += outcome.forwards
    if (outcome.firstTextMs === undefined) return
    // From when it should have been sent: a generator that is held up must not hide the wait.
    const ttftMs = outcome.firstTextMs - dueMs
    this.ttft.add(ttftMs)
    if (!counts || outcome.result !== 'done') return
    for (const gap of outcome.gapsMs) this.gap.add(gap)
    const decodeMs = outcome.gapsMs.reduce((sum, gap) => sum + gap, 0)
    const perTokenMs = outcome.tokens > 1 ? decodeMs / (outcome.tokens - 1) : 0
    this.perToken.add(perTokenMs)
    if (ttftMs <= slo.ttftMs && perTokenMs <= slo.perTokenMs) this.good += 1
  }

  summary(seconds: number) {
    const count = (result: string): number => this.results.get(result) ?? 0
    const rate = (value: number): number => round(value / seconds)
    const left = count('left')
    return {
      sent: this.sent,
      done: count('done'),
      goodputPerSecond: rate(this.good),
      /** Of those that were meant to be read to the end, at reading speed. */
      tokensPerSecond: rate(this.tokens),
      tokensPerForward: this.forwards === 0 ? null : round(this.tokens / this.forwards),
      left,
      errors: Object.fromEntries(
        [...this.results].filter(([result]) => result !== 'done' && result !== 'left'),
      ),
      ttftMs: this.ttft.summary(),
      gapMs: this.gap.summary(),
      perTokenMs: this.perToken.summary(),
    }
  }
}

export type GroupSummary = ReturnType<Group['summary']>

export interface PhaseSummary extends GroupSummary {
  /** Requests a second, as asked for and as sent, second turns included. */
  readonly rate: number
  readonly offeredPerSecond: number
  readonly seconds: number
  /** Of those that were meant to be read to the end at reading speed, the share within the SLO. */
  readonly goodShare: number
  /** Most that a request was sent too late by this program itself. */
  readonly generatorLateMs: number
  readonly groups: Readonly<Record<string, GroupSummary>>
}

/** All outcomes of one phase. */
export class Tally {
  readonly #slo: Slo
  readonly #all = new Group()
  readonly #groups = new Map<string, Group>()
  #meant = 0
  #lateMs = 0

  constructor(slo: Slo) {
    this.#slo = slo
  }

  /** `dueMs`: when the request should have been sent, `sentMs`: when it was. */
  add(
    arrival: Arrival,
    outcome: Outcome,
    { dueMs, sentMs }: { dueMs: number; sentMs: number },
  ): void {
    const counts = arrival.reader === 'steady'
    if (counts) this.#meant += 1
    this.#lateMs = Math.max(this.#lateMs, sentMs - dueMs)
    const group = this.#groups.get(arrival.group) ?? new Group()
    this.#groups.set(arrival.group, group)
    for (const each of [this.#all, group]) each.add(outcome, { dueMs, counts }, this.#slo)
  }

  summary(rate: number, seconds: number): PhaseSummary {
    const names = [...this.#groups.keys()].sort()
    return {
      rate,
      offeredPerSecond: round(this.#all.sent / seconds),
      seconds,
      goodShare: this.#meant === 0 ? 0 : round(this.#all.good / this.#meant),
      generatorLateMs: round(this.#lateMs),
      ...this.#all.summary(seconds),
      groups: Object.fromEntries(
        names.map((name) => [name, this.#groups.get(name)!.summary(seconds)]),
      ),
    }
  }
}

const round = (value: number): number => Number(value.toFixed(3))
