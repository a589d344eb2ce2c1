import { useState } from 'preact/hooks'
import type { Turn } from '../state/chat.ts'
import { EXAMPLES } from '../state/examples.ts'
import type { Example } from '../state/examples.ts'
import { reproduce, toBody } from '../state/settings.ts'
import type { Settings } from '../state/settings.ts'
import { TurnView } from './chat-view.tsx'
import { CodePanel } from './code-panel.tsx'
import { Composer } from './composer.tsx'
import { Controls } from './controls.tsx'
import { Examples } from './examples.tsx'
import { BlockFigure } from './figure.tsx'
import { plural } from './format.ts'
import { SidePanel } from './side-panel.tsx'
import type { Chat } from './use-chat.ts'
import type { PaneProps } from './workbench.tsx'

export function ChatPane(props: PaneProps & { chat: Chat }) {
  const { chat, model, settings, onSettings, onLeave } = props
  const [draft, setDraft] = useState('')
  const { turns, busy } = chat
  const send = (prompt: string, with_: Settings = settings) => {
    setDraft('')
    chat.send(prompt, with_)
  }
  const runExample = ({ prompt, settings: change = { temperature: 0 } }: Example) => {
    onSettings(change)
    send(prompt, { ...settings, ...change })
  }
  return (
    <div class="pane">
      <SidePanel summary={summaryOf(settings)}>
        <Controls settings={settings} model={model} racing={false} onChange={onSettings} />
        <ChatCode turns={turns} settings={settings} model={model.id} draft={draft} />
      </SidePanel>
      <section class="column" aria-label="Conversation">
        {turns.length === 0 ? <Empty /> : null}
        {turns.map((turn) => (
          <TurnView
            key={turn.id}
            turn={turn}
            onRetry={() => send(turn.prompt)}
            onKey={() => onLeave(turn.run.failure)}
          />
        ))}
        {turns.length === 0 || busy ? null : (
          <button type="button" class="button quiet clear" onClick={chat.clear}>
            Clear conversation
          </button>
        )}
        <p class="visually-hidden" role="status">
          {announce(turns.at(-1))}
        </p>
        <div class="dock">
          <Examples busy={busy} onExample={runExample} />
          <Composer
            label="Ask the model something"
            action="Send"
            draft={draft}
            busy={busy}
            onDraft={setDraft}
            onSend={send}
            onStop={chat.stop}
          />
        </div>
      </section>
    </div>
  )
}

function Empty() {
  return (
    <section class="empty">
      <h2>Watch a model write several tokens at a time</h2>
      <p>
        Pick an example or write a prompt. Every token takes the colour of the forward pass that
        revealed it. The bars below an answer are its forwards: what stays empty was saved.
      </p>
      <BlockFigure />
    </section>
  )
}

interface ChatCodeProps {
  turns: readonly Turn[]
  settings: Settings
  model: string
  draft: string
}

/** The request of the last answer, or the one that would be sent now. */
function ChatCode({ turns, settings, model, draft }: ChatCodeProps) {
  const last = turns.at(-1)
  if (last !== undefined) {
    return (
      <CodePanel body={reproduce(last.body, last.run.seed)} note="Reproduces the last answer." />
    )
  }
  const content = draft.trim() === '' ? (EXAMPLES[0]?.prompt ?? '') : draft
  const body = toBody(settings, { model, messages: [{ role: 'user', content }] })
  return <CodePanel body={body} note="What Send would post, with the settings above." />
}

export function summaryOf({ mode, gamma }: Settings): string {
  return mode === 'sbd' ? `sbd, γ ${gamma.toFixed(2)}` : mode
}

/** Said once, when an answer is over; failures announce themselves. */
function announce(turn: Turn | undefined): string {
  if (turn === undefined) return ''
  const { run } = turn
  if (run.status === 'stopped') return 'Stopped.'
  if (run.status !== 'done' || run.usage === undefined) return ''
  const { completion_tokens: tokens, forward_passes_details: forwards } = run.usage
  return `Answer complete: ${plural(tokens, 'token')} in ${plural(forwards.decode, 'forward')}.`
}
