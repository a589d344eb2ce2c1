import { useState } from 'preact/hooks'
import { EXAMPLES } from '../state/examples.ts'
import type { Example } from '../state/examples.ts'
import { toBody } from '../state/settings.ts'
import type { Settings } from '../state/settings.ts'
import type { Rival } from '../state/race.ts'
import { summaryOf } from './chat-pane.tsx'
import { CodePanel } from './code-panel.tsx'
import { Composer } from './composer.tsx'
import { Controls } from './controls.tsx'
import { Examples } from './examples.tsx'
import { Notice } from './notice.tsx'
import { RaceView } from './race-view.tsx'
import { SidePanel } from './side-panel.tsx'
import type { RaceControl } from './use-race.ts'
import type { PaneProps } from './workbench.tsx'

const ROUNDS = [1, 3, 5] as const
const ROUNDS_DEFAULT = 3

export function RacePane(props: PaneProps & { control: RaceControl }) {
  const { control, model, settings, onSettings, onLeave } = props
  const [draft, setDraft] = useState(EXAMPLES[0]?.prompt ?? '')
  const [rounds, setRounds] = useState<number>(ROUNDS_DEFAULT)
  const { race, failure } = control
  const busy = race.status === 'running'
  const rival: Rival = settings.mode === 'ntp' ? 'verified' : settings.mode
  const racing: Settings = { ...settings, mode: rival }
  const start = (prompt: string, with_: Settings = racing) =>
    control.start({ prompt, rival, rounds, settings: with_ })
  const runExample = ({ prompt, settings: change = { temperature: 0 } }: Example) => {
    setDraft(prompt)
    onSettings(change)
    start(prompt, { ...racing, ...change })
  }
  const body =
    control.body ??
    toBody(racing, { model: model.id, messages: [{ role: 'user', content: draft }] })
  return (
    <div class="pane">
      <SidePanel summary={summaryOf(racing)}>
        <Controls settings={racing} model={model} racing onChange={onSettings} />
        <RoundsField rounds={rounds} onRounds={setRounds} />
        <CodePanel body={body} note={`The request of ${rival}.`} />
      </SidePanel>
      <section class="column" aria-label="Race">
        <div class="dock top">
          <Composer
            label="Prompt for both"
            action="Race"
            draft={draft}
            busy={busy}
            onDraft={setDraft}
            onSend={start}
            onStop={control.stop}
          />
          <Examples busy={busy} onExample={runExample} />
        </div>
        {failure === undefined ? null : (
          <Notice failure={failure} onRetry={() => start(draft)} onKey={() => onLeave(failure)} />
        )}
        <p class="visually-hidden" role="status">
          {race.status === 'over' ? 'The race is over.' : ''}
        </p>
        <RaceView race={race.status === 'idle' ? { ...race, rival } : race} />
      </section>
    </div>
  )
}

interface RoundsFieldProps {
  rounds: number
  onRounds(this: void, rounds: number): void
}

function RoundsField({ rounds, onRounds }: RoundsFieldProps) {
  return (
    <label class="row rounds">
      <span>Runs of each</span>
      <select value={rounds} onChange={(event) => onRounds(Number(event.currentTarget.value))}>
        {ROUNDS.map((count) => (
          <option key={count} value={count}>
            {count}
          </option>
        ))}
      </select>
    </label>
  )
}
