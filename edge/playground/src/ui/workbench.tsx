import { useEffect, useState } from 'preact/hooks'
import type { ModelFacts } from '../api/models.ts'
import type { Failure } from '../state/failure.ts'
import { changeSettings, DEFAULT_SETTINGS, defaultMaxTokens } from '../state/settings.ts'
import type { Settings } from '../state/settings.ts'
import { ChatPane } from './chat-pane.tsx'
import { RacePane } from './race-pane.tsx'
import { Tabs } from './tabs.tsx'
import type { Tab } from './tabs.tsx'
import { useChat } from './use-chat.ts'
import { useRace } from './use-race.ts'

/** What both panes share. */
export interface PaneProps {
  model: ModelFacts
  settings: Settings
  onSettings(this: void, change: Partial<Settings>): void
  onLeave(this: void, failure?: Failure): void
}

interface WorkbenchProps {
  apiKey: string
  models: readonly ModelFacts[]
  onLeave(this: void, failure?: Failure): void
}

export function Workbench({ apiKey, models, onLeave }: WorkbenchProps) {
  const [tab, setTab] = useState<Tab>('chat')
  const [modelId, setModelId] = useState(models[0]?.id)
  const [settings, setSettings] = useState(DEFAULT_SETTINGS)
  const model = models.find(({ id }) => id === modelId)
  const access = { key: apiKey, model: modelId ?? '' }
  // Kept here, so that neither is lost by looking at the other.
  const chat = useChat(access)
  const race = useRace(access)
  useEffect(() => {
    if (model === undefined) return
    const { context_length, defaults } = model
    const maxTokens = defaultMaxTokens(context_length)
    setSettings((old) => ({ ...old, gamma: defaults.gamma, maxTokens }))
  }, [model])
  if (model === undefined) {
    return <main class="gate">This key may use no model.</main>
  }
  const pane: PaneProps = {
    model,
    settings,
    onSettings: (change) => setSettings((old) => changeSettings(old, change)),
    onLeave,
  }
  return (
    <main class="workbench">
      <div class="toolbar">
        <Tabs tab={tab} onTab={setTab} />
        <ModelPicker models={models} model={model} onModel={setModelId} />
      </div>
      <div id="pane" role="tabpanel" aria-labelledby={`tab-${tab}`}>
        {tab === 'chat' ? (
          <ChatPane {...pane} chat={chat} />
        ) : (
          <RacePane {...pane} control={race} />
        )}
      </div>
    </main>
  )
}

interface ModelPickerProps {
  models: readonly ModelFacts[]
  model: ModelFacts
  onModel(this: void, id: string): void
}

function ModelPicker({ models, model, onModel }: ModelPickerProps) {
  if (models.length === 1) return <span class="model-name">{model.id}</span>
  return (
    <label class="model-name">
      <span class="visually-hidden">Model</span>
      <select value={model.id} onChange={(event) => onModel(event.currentTarget.value)}>
        {models.map(({ id }) => (
          <option key={id} value={id}>
            {id}
          </option>
        ))}
      </select>
    </label>
  )
}
