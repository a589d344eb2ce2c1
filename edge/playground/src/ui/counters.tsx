import { countRun } from '../state/counters.ts'
import type { Run } from '../state/run.ts'
import { figure, milliseconds, plural } from './format.ts'

/** The figures of a run, live while it lasts. */
export function CounterRow({ run }: { run: Run }) {
  const counters = countRun(run)
  const { tokens, forwards, forwardsSaved } = counters
  const known = forwards > 0
  return (
    <dl class="counters">
      <Counter
        name="tokens per forward"
        value={figure(counters.tokensPerForward, 2)}
        note={known ? `${plural(tokens, 'token')}, ${plural(forwards, 'forward')}` : undefined}
        strong
      />
      <Counter
        name="forwards saved"
        value={known ? figure(forwardsSaved) : '–'}
        note={known ? compareToNtp(forwardsSaved, tokens) : undefined}
      />
      <Counter
        name="tokens per second"
        value={figure(counters.tokensPerSecond)}
        note={known ? `${milliseconds(counters.totalMs)} in all` : undefined}
      />
      <Counter
        name="time to first text"
        value={milliseconds(counters.ttftMs)}
        note={known ? 'seen in this browser' : undefined}
      />
    </dl>
  )
}

interface CounterProps {
  name: string
  value: string
  note?: string | undefined
  strong?: boolean
}

export function Counter({ name, value, note, strong = false }: CounterProps) {
  return (
    <div class={strong ? 'counter strong' : 'counter'}>
      <dt>{name}</dt>
      <dd>
        <span class="value">{value}</span>
        <span class="note">{note ?? '\u00a0'}</span>
      </dd>
    </div>
  )
}

/** Against one forward for every token. */
function compareToNtp(saved: number, tokens: number): string {
  if (tokens === 0 || saved === 0) return 'as many as ntp'
  const percent = Math.round((100 * Math.abs(saved)) / tokens)
  return `${percent} % ${saved < 0 ? 'more' : 'fewer'} than ntp`
}
