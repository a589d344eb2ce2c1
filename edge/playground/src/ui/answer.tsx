import { useId, useState } from 'preact/hooks'
import { toCells } from '../state/cells.ts'
import type { Cell } from '../state/cells.ts'
import { isOver } from '../state/run.ts'
import type { Run } from '../state/run.ts'
import { hueOfStep } from './format.ts'
import { Inspector } from './inspector.tsx'
import { PassStrip } from './pass-strip.tsx'

/** What is pointed at: a token, or all that one forward revealed. */
export type Focus =
  | { kind: 'token'; index: number; byKeyboard: boolean }
  | { kind: 'step'; step: number }

interface AnswerProps {
  run: Run
  /** The run whose size sets the scale of the bars; this one if not given. */
  scale?: Run
  label: string
}

/** An answer token by token, coloured by forward pass, with what is known of each. */
export function Answer({ run, scale = run, label }: AnswerProps) {
  const [focus, setFocus] = useState<Focus | undefined>(undefined)
  const hintId = useId()
  const step = stepOf(run, focus)
  const pointAt = (event: Event) => {
    const index = indexUnder(event)
    if (index !== undefined) setFocus({ kind: 'token', index, byKeyboard: false })
  }
  const move = (event: KeyboardEvent) => {
    const index = nextIndex(run, focus, event.key)
    if (index === undefined) return
    event.preventDefault()
    setFocus({ kind: 'token', index, byKeyboard: true })
  }
  return (
    <div class="answer">
      <div
        class={step === undefined ? 'tokens' : 'tokens has-focus'}
        role="group"
        tabIndex={0}
        aria-label={`${label}, token by token`}
        aria-describedby={hintId}
        onPointerOver={pointAt}
        onClick={pointAt}
        onPointerLeave={() => setFocus(undefined)}
        onBlur={() => setFocus(undefined)}
        onKeyDown={move}
      >
        {toCells(run).map((cell) => (
          <CellView
            key={cell.index}
            cell={cell}
            fresh={!isOver(run) && cell.kind === 'token' && isLast(run, cell.token.step)}
            lit={cell.kind === 'token' && cell.token.step === step}
            pointed={focus?.kind === 'token' && focus.index === cell.index}
          />
        ))}
      </div>
      <PassStrip
        run={run}
        scale={scale}
        step={step}
        onStep={(next) => setFocus(next === undefined ? undefined : { kind: 'step', step: next })}
      />
      <Inspector id={hintId} run={run} focus={focus} />
    </div>
  )
}

interface CellProps {
  cell: Cell
  /** Revealed by the latest forward of an answer still being written. */
  fresh: boolean
  lit: boolean
  pointed: boolean
}

function CellView({ cell, fresh, lit, pointed }: CellProps) {
  if (cell.kind !== 'token') return <Mask kind={cell.kind} />
  const { token, beyondEnd, index } = cell
  const classes = ['token']
  if (fresh) classes.push('fresh')
  if (lit) classes.push('lit')
  if (pointed) classes.push('pointed')
  if (beyondEnd) classes.push('beyond-end')
  if (token.text === '') classes.push('silent')
  if (token.text.includes('\n')) classes.push('newline')
  return (
    <>
      <span
        class={classes.join(' ')}
        style={{ '--hue': hueOfStep(token.step) }}
        data-index={index}
        data-step={token.step}
      >
        {token.text}
      </span>
      <wbr />
    </>
  )
}

/** A position that is not revealed yet. */
export function Mask({ kind }: { kind: 'hole' | 'ahead' }) {
  return <span class={kind} aria-hidden="true" />
}

const isLast = (run: Run, step: number): boolean => step === run.reveals.length - 1

function stepOf(run: Run, focus: Focus | undefined): number | undefined {
  if (focus === undefined) return undefined
  return focus.kind === 'step' ? focus.step : run.tokens[focus.index]?.step
}

function indexUnder({ target }: Event): number | undefined {
  const index = target instanceof HTMLElement ? target.dataset['index'] : undefined
  return index === undefined ? undefined : Number(index)
}

/** Where a key leads from the token in focus: to a neighbour, over holes, or to either end. */
function nextIndex(run: Run, focus: Focus | undefined, key: string): number | undefined {
  const known = run.tokens.flatMap((token, index) => (token === undefined ? [] : [index]))
  const at = focus?.kind === 'token' ? focus.index : undefined
  switch (key) {
    case 'ArrowRight':
      return at === undefined ? known[0] : (known.find((index) => index > at) ?? at)
    case 'ArrowLeft':
      return at === undefined ? known.at(-1) : (known.findLast((index) => index < at) ?? at)
    case 'Home':
      return known[0]
    case 'End':
      return known.at(-1)
    default:
      return undefined
  }
}
