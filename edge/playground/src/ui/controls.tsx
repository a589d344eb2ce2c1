import type { Mode } from '@setblock/shared'
import type { ModelFacts } from '../api/models.ts'
import type { Settings } from '../state/settings.ts'
import { Advanced } from './advanced.tsx'
import { GammaDial } from './gamma-dial.tsx'

const MODES: readonly { mode: Mode; title: string; says: string }[] = [
  {
    mode: 'ntp',
    title: 'ntp',
    says: 'Next-token prediction: one token per forward. The baseline.',
  },
  {
    mode: 'verified',
    title: 'verified',
    says: 'Guesses ahead and checks each guess: the same text as ntp in fewer forwards.',
  },
  {
    mode: 'sbd',
    title: 'sbd',
    says: 'Set Block Decoding: reveals what it is sure of within γ; the rule says in which order.',
  },
]

interface ControlsProps {
  settings: Settings
  model: ModelFacts
  /** A race is run against ntp, so that is no choice there. */
  racing: boolean
  onChange(this: void, change: Partial<Settings>): void
}

export function Controls({ settings, model, racing, onChange }: ControlsProps) {
  const offered = MODES.filter(({ mode }) => !racing || mode !== 'ntp')
  const current = offered.find(({ mode }) => mode === settings.mode)
  return (
    <div class="controls">
      <fieldset class="field">
        <legend>{racing ? 'ntp races against' : 'Mode'}</legend>
        <div class="segments">
          {offered.map(({ mode, title }) => (
            <label key={mode} class="segment">
              <input
                type="radio"
                name="mode"
                value={mode}
                checked={mode === settings.mode}
                onChange={() => onChange({ mode })}
              />
              <span>{title}</span>
            </label>
          ))}
        </div>
        <p class="says">{current?.says}</p>
      </fieldset>
      <GammaDial
        gamma={settings.gamma}
        inForce={settings.mode === 'sbd'}
        onGamma={(gamma) => onChange({ gamma })}
      />
      <Advanced settings={settings} model={model} onChange={onChange} />
    </div>
  )
}
