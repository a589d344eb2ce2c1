import type { Seen } from './stream-client.ts'

/** Promises that a fault must not break. */
export type Violation =
  | 'not-one-terminal'
  | 'wrong-text'
  | 'events-out-of-order'
  | 'untyped-error'
  | 'broken-without-cause'
  | 'lost-turn'
  | 'stuck'
  | 'cross-tenant'
  | 'leak'

export interface Judged {
  /** The whole text, as an undisturbed worker gives it. */
  readonly expected: string
  /** Codes that may end it, every one of them with the word that a retry can help. */
  readonly retryable: ReadonlySet<string>
  /** Other codes that its own history explains. */
  readonly explained?: ReadonlySet<string>
  /** Whether its connection may have broken: the edge itself was taken down meanwhile. */
  readonly mayBreak: boolean
}

/** What is wrong with one answer. */
export function judge(seen: Seen, judged: Judged): Violation[] {
  const { expected, retryable, explained, mayBreak } = judged
  const { terminals, saidMore, close, numbers, text } = seen
  const found: Violation[] = []
  const [last] = terminals
  const once = terminals.length === 1 && !saidMore
  if (close === 'end' ? !once : terminals.length > 1) found.push('not-one-terminal')
  if (close === 'broken' && !mayBreak) found.push('broken-without-cause')
  const whole = last?.kind === 'end'
  if (whole ? text !== expected : !expected.startsWith(text)) found.push('wrong-text')
  const [first = 0] = numbers
  if (numbers.some((number, index) => number !== first + index)) found.push('events-out-of-order')
  if (last?.kind === 'error') {
    const typed = retryable.has(last.code) && last.shouldRetry
    if (!typed && explained?.has(last.code) !== true) found.push('untyped-error')
  }
  return found
}

const EXAMPLES_MAX = 20

/** Everything that was seen and everything that was wrong. */
export class Findings {
  readonly counts: Record<string, number> = {}
  readonly errors: Record<string, number> = {}
  readonly violations: Partial<Record<Violation, number>> = {}
  readonly examples: string[] = []
  readonly #say: (line: string) => void
  /** Answers that are being read now. */
  inFlight = 0

  constructor(say: (line: string) => void) {
    this.#say = say
  }

  count(what: string, by = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + by
  }

  violate(violation: Violation, detail: string): void {
    this.violations[violation] = (this.violations[violation] ?? 0) + 1
    if (this.examples.length >= EXAMPLES_MAX) return
    this.examples.push(`${violation}: ${detail}`)
    this.#say(`VIOLATION ${violation}: ${detail}`)
  }

  /** Counts an answer by how it ended and notes what is wrong with it. */
  answer(seen: Seen, judged: Judged, who: string): void {
    const [last] = seen.terminals
    this.count(`answers-${last?.kind ?? seen.close}`)
    if (last?.kind === 'error') this.errors[last.code] = (this.errors[last.code] ?? 0) + 1
    for (const violation of judge(seen, judged)) {
      const { status, text, terminals, saidMore, close, numbers } = seen
      const facts = { status, text, terminals, saidMore, close, numbers: numbers.length }
      this.violate(violation, `${who}: ${JSON.stringify(facts)}`)
    }
  }

  get total(): number {
    return Object.values(this.violations).reduce((sum, count) => sum + count, 0)
  }
}
