import { Mask } from './answer.tsx'
import { hueOfStep } from './format.ts'

/** A block of six positions, and the forward that reveals each. */
const BLOCK = [
  { text: 'Six', step: 0 },
  { text: ' tokens', step: 0 },
  { text: ' in', step: 0 },
  { text: ' two', step: 0 },
  { text: ' forward', step: 1 },
  { text: ' passes', step: 1 },
]

const ROWS = [
  { name: 'masked', says: 'a block of masks, all guessed at once', forwards: 0 },
  { name: 'forward 1', says: 'from the left, what is sure together is revealed', forwards: 1 },
  { name: 'forward 2', says: 'the rest follows: one colour for each forward', forwards: 2 },
]

/** A drawing of how a block fills under the default rule, which is also the key to the marks in an answer. */
export function BlockFigure() {
  return (
    <figure class="figure" aria-label="Drawing: how a block of six tokens fills in two forwards">
      {ROWS.map(({ name, says, forwards }) => (
        <div key={name} class="figure-row">
          <span class="figure-name">{name}</span>
          <span class="figure-block" aria-hidden="true">
            {BLOCK.map(({ text, step }) =>
              step < forwards ? (
                <span key={text} class="token" style={{ '--hue': hueOfStep(step * 3) }}>
                  {text}
                </span>
              ) : (
                <Mask key={text} kind="ahead" />
              ),
            )}
          </span>
          <span class="figure-says">{says}</span>
        </div>
      ))}
    </figure>
  )
}
