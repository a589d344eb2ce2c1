import { useEffect, useRef } from 'preact/hooks'
import type { Turn } from '../state/chat.ts'
import { runAfter, forwardsAt, timelineOf } from '../state/replay.ts'
import { isOver } from '../state/run.ts'
import type { DecodingFacts } from '../state/events.ts'
import { Answer } from './answer.tsx'
import { CounterRow } from './counters.tsx'
import { Notice } from './notice.tsx'
import { Transport } from './transport.tsx'
import { usePlayback } from './use-playback.ts'

interface TurnViewProps {
  turn: Turn
  onRetry(this: void): void
  onKey(this: void): void
}

/** A prompt, its answer and what it cost; when it is over, also slowly once more. */
export function TurnView({ turn, onRetry, onKey }: TurnViewProps) {
  const { run, events } = turn
  const place = useRef<HTMLElement>(null)
  const timeline = timelineOf(run)
  const playback = usePlayback([timeline])
  const { atMs } = playback
  const shown = atMs === undefined ? run : runAfter(events, run, forwardsAt(timeline, atMs))
  const over = isOver(run)
  useEffect(() => place.current?.scrollIntoView({ block: 'nearest' }), [over])
  return (
    <article class="turn" ref={place} data-status={run.status}>
      <h2 class="visually-hidden">Turn {turn.id}</h2>
      <p class="prompt">{turn.prompt}</p>
      <div class="card">
        <p class="facts">{describeDecoding(run.decoding ?? turn.body)}</p>
        {run.status === 'waiting' ? <p class="waiting">Waiting for the first forward …</p> : null}
        <Answer run={shown} scale={run} label={`Answer ${turn.id}`} />
        {run.status === 'stopped' ? <p class="stopped">Stopped by you.</p> : null}
        {run.failure === undefined ? null : (
          <Notice failure={run.failure} onRetry={onRetry} onKey={onKey} />
        )}
        <CounterRow run={shown} />
        {over && run.reveals.length > 0 ? <Transport playback={playback} runs="run" /> : null}
      </div>
    </article>
  )
}

/** How an answer is decoded; brief leaves the mode out. */
export function describeDecoding(
  { mode, gamma, block_length, rule }: Partial<DecodingFacts>,
  form: 'whole' | 'brief' = 'whole',
): string {
  const facts: string[] = form === 'brief' || mode === undefined ? [] : [mode]
  if (gamma !== undefined) facts.push(`γ ${gamma}`)
  if (block_length !== undefined) facts.push(`blocks of ${block_length}`)
  if (rule !== undefined) facts.push(rule)
  return facts.join(' · ')
}
