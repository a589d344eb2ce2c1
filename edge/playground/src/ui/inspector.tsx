import type { PlacedToken, Run } from '../state/run.ts'
import type { Focus } from './answer.tsx'
import { hueOfStep, plural } from './format.ts'

interface InspectorProps {
  id: string
  run: Run
  focus: Focus | undefined
}

/** One line on the token, or the forward, that is pointed at. Spoken only when keys moved there. */
export function Inspector({ id, run, focus }: InspectorProps) {
  const spoken = focus?.kind === 'token' && focus.byKeyboard
  return (
    <p id={id} class="inspector" aria-live={spoken ? 'polite' : 'off'}>
      {focus === undefined ? <Hint run={run} /> : <Detail run={run} focus={focus} />}
    </p>
  )
}

function Hint({ run }: { run: Run }) {
  if (run.tokens.length === 0) return <>&nbsp;</>
  return <span class="hint">Point at a token, or use the arrow keys, to see how it came.</span>
}

function Detail({ run, focus }: { run: Run; focus: Focus }) {
  if (focus.kind === 'step') {
    const count = run.reveals[focus.step] ?? 0
    return (
      <>
        <Swatch step={focus.step} />
        forward {focus.step + 1} of {run.reveals.length} revealed {plural(count, 'token')}
      </>
    )
  }
  const token = run.tokens[focus.index]
  return token === undefined ? null : <TokenDetail run={run} token={token} index={focus.index} />
}

function TokenDetail({ run, token, index }: { run: Run; token: PlacedToken; index: number }) {
  const { step, text, position, entropy } = token
  const others = (run.reveals[step] ?? 1) - 1
  return (
    <>
      <Swatch step={step} />
      <code>{text === '' ? 'end of text' : showSpaces(text)}</code>
      <span>
        forward {step + 1} of {run.reveals.length}
        {others > 0 ? `, with ${plural(others, 'other')}` : ', alone'}
      </span>
      <span>
        token {index + 1}, position {position}
      </span>
      {entropy === undefined ? null : <span>entropy {entropy.toFixed(3)} nats</span>}
    </>
  )
}

/** A token by itself, with what cannot be seen made visible. */
function showSpaces(text: string): string {
  return text.replaceAll(' ', '␣').replaceAll('\n', '↵').replaceAll('\t', '⇥')
}

function Swatch({ step }: { step: number }) {
  return <span class="swatch" style={{ '--hue': hueOfStep(step) }} aria-hidden="true" />
}
