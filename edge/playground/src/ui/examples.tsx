import { EXAMPLES } from '../state/examples.ts'
import type { Example } from '../state/examples.ts'

interface ExamplesProps {
  busy: boolean
  onExample(this: void, example: Example): void
}

/**
 * Prompts to begin with, sorted by whether several tokens at a time are to be expected.
 * A button that is pressed keeps the focus: one that is disabled would lose it.
 */
export function Examples({ busy, onExample }: ExamplesProps) {
  const groups = [
    { name: 'Predictable: blocks pay', examples: EXAMPLES.filter(({ pays }) => pays) },
    { name: 'Open: little to win', examples: EXAMPLES.filter(({ pays }) => !pays) },
  ]
  return (
    <div class="examples">
      {groups.map(({ name, examples }) => (
        <div key={name} class="example-group" role="group" aria-label={name}>
          <span class="example-name">{name}</span>
          {examples.map((example) => (
            <button
              key={example.name}
              type="button"
              class="chip"
              title={example.prompt}
              aria-disabled={busy}
              onClick={() => {
                if (!busy) onExample(example)
              }}
            >
              {example.name}
            </button>
          ))}
        </div>
      ))}
    </div>
  )
}
