import { contract } from '../contract.ts'
import { GAMMA_MAX, GAMMA_STEP } from '../state/settings.ts'

interface GammaDialProps {
  /** Nats. */
  gamma: number
  inForce: boolean
  onGamma(this: void, gamma: number): void
}

/** The entropy bound, with the named values of the API marked on its scale. */
export function GammaDial({ gamma, inForce, onGamma }: GammaDialProps) {
  return (
    <div class={inForce ? 'field gamma' : 'field gamma idle'}>
      <div class="field-head">
        <label for="gamma">Entropy bound γ</label>
        <output for="gamma">{inForce ? `${gamma.toFixed(2)} nats` : 'not in force'}</output>
      </div>
      <input
        id="gamma"
        type="range"
        min={0}
        max={GAMMA_MAX}
        step={GAMMA_STEP}
        value={gamma}
        aria-valuetext={`${gamma.toFixed(2)} nats`}
        aria-describedby="gamma-says"
        onInput={(event) => onGamma(Number(event.currentTarget.value))}
      />
      <div class="presets">
        {Object.entries(contract.gammaPresets).map(([name, value]) => (
          <button
            key={name}
            type="button"
            class="preset"
            style={{ '--at': value / GAMMA_MAX }}
            aria-pressed={inForce && value === gamma}
            onClick={() => onGamma(value)}
          >
            {name}
          </button>
        ))}
      </div>
      <p class="says" id="gamma-says">
        {inForce
          ? 'How unsure the tokens of one forward may be together. More is faster and less faithful.'
          : 'Means something in sbd only: moving it selects that mode.'}
      </p>
    </div>
  )
}
