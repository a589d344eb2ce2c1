import type { Rule } from '@setblock/shared'
import type { ModelFacts } from '../api/models.ts'
import { contract } from '../contract.ts'
import type { Settings } from '../state/settings.ts'

interface AdvancedProps {
  settings: Settings
  model: ModelFacts
  onChange(this: void, change: Partial<Settings>): void
}

/** What most people leave alone. */
export function Advanced({ settings, model, onChange }: AdvancedProps) {
  return (
    <details class="fold">
      <summary>Advanced</summary>
      <div class="fold-body">
        <BlockFields settings={settings} model={model} onChange={onChange} />
        <label class="row">
          <span>
            Temperature <code>{settings.temperature.toFixed(1)}</code>
          </span>
          <input
            type="range"
            min={0}
            max={1.5}
            step={0.1}
            value={settings.temperature}
            onInput={(event) => onChange({ temperature: Number(event.currentTarget.value) })}
          />
        </label>
        <label class="row">
          <span>Tokens at most</span>
          <input
            type="number"
            min={1}
            max={model.context_length - 1}
            value={settings.maxTokens}
            onChange={(event) => {
              const maxTokens = readWhole(event.currentTarget, settings.maxTokens)
              onChange({ maxTokens: maxTokens ?? settings.maxTokens })
            }}
          />
        </label>
        <label class="row">
          <span>Seed</span>
          <input
            type="number"
            min={0}
            max={contract.seedMax}
            placeholder="random"
            value={settings.seed ?? ''}
            onChange={(event) => onChange({ seed: readWhole(event.currentTarget, undefined) })}
          />
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={settings.remember}
            onChange={(event) => onChange({ remember: event.currentTarget.checked })}
          />
          <span>Send earlier turns along. The bundled model was trained on single ones.</span>
        </label>
      </div>
    </details>
  )
}

function BlockFields({ settings, model, onChange }: AdvancedProps) {
  const lengths = Array.from(
    { length: model.max_block_length - contract.blockLengthMin + 1 },
    (_, index) => contract.blockLengthMin + index,
  )
  return (
    <>
      <label class="row">
        <span>Block length</span>
        <select
          value={settings.blockLength ?? ''}
          disabled={settings.mode === 'ntp'}
          onChange={({ currentTarget: { value } }) =>
            onChange({ blockLength: value === '' ? undefined : Number(value) })
          }
        >
          <option value="">{model.defaults.block_length} (model)</option>
          {lengths.map((length) => (
            <option key={length} value={length}>
              {length}
            </option>
          ))}
        </select>
      </label>
      <label class="row">
        <span>Rule for γ</span>
        <select
          value={settings.rule ?? ''}
          disabled={settings.mode !== 'sbd'}
          onChange={({ currentTarget: { value } }) =>
            onChange({ rule: value === '' ? undefined : (value as Rule) })
          }
        >
          <option value="">{model.defaults.rule} (model)</option>
          {contract.rules.map((rule) => (
            <option key={rule} value={rule}>
              {rule}
            </option>
          ))}
        </select>
      </label>
    </>
  )
}

/** The whole number in a field within its bounds; `otherwise` where there is none. */
function readWhole(field: HTMLInputElement, otherwise: number | undefined): number | undefined {
  if (field.value === '') return otherwise
  const value = Math.round(Number(field.value))
  return Math.min(Number(field.max), Math.max(Number(field.min), value))
}
