import { countRun } from '../state/counters.ts'
import type { Run } from '../state/run.ts'
import { hueOfStep, plural } from './format.ts'

/** Drawing units of the tallest bar. */
const HEIGHT = 8

interface PassStripProps {
  run: Run
  /** The run that sets the scale: how this one ends, or the longest of those it stands beside. */
  scale: Run
  /** The forward to light up. */
  step: number | undefined
  onStep(this: void, step: number | undefined): void
}

/**
 * A bar for every forward, as tall as the tokens it revealed are many, on a line with a place for
 * every token: what stays empty are the forwards that were saved.
 */
export function PassStrip({ run, scale, step, onStep }: PassStripProps) {
  const { tokens, forwards } = countRun(run)
  const places = Math.max(countRun(scale).tokens, tokens, run.reveals.length, 1)
  const tallest = Math.max(1, ...run.reveals, ...scale.reveals)
  return (
    <svg
      class="pass-strip"
      viewBox={`0 0 ${places} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={`${plural(forwards, 'forward')} for ${plural(tokens, 'token')}`}
      onPointerLeave={() => onStep(undefined)}
    >
      <rect class="ground" x={0} y={HEIGHT - 0.5} width={places} height={0.5} />
      {run.reveals.map((count, each) => {
        const height = (HEIGHT * count) / tallest
        return (
          <rect
            key={each}
            class={each === step ? 'bar lit' : 'bar'}
            style={{ '--hue': hueOfStep(each) }}
            x={each + 0.06}
            y={HEIGHT - height}
            width={0.88}
            height={height}
            onPointerOver={() => onStep(each)}
          />
        )
      })}
    </svg>
  )
}
