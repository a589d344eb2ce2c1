const TABS = { chat: 'Chat', race: 'Race' } as const
export type Tab = keyof typeof TABS
const ORDER = Object.keys(TABS) as Tab[]

/** Two views of the same thing. Arrow keys move between the tabs, as is usual. */
export function Tabs({ tab, onTab }: { tab: Tab; onTab(this: void, tab: Tab): void }) {
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== 'ArrowRight' && event.key !== 'ArrowLeft') return
    event.preventDefault()
    const next = ORDER[(ORDER.indexOf(tab) + 1) % ORDER.length] ?? tab
    onTab(next)
    document.getElementById(`tab-${next}`)?.focus()
  }
  return (
    <div class="tabs" role="tablist" aria-label="View" onKeyDown={onKey}>
      {ORDER.map((name) => (
        <button
          key={name}
          id={`tab-${name}`}
          type="button"
          role="tab"
          aria-selected={name === tab}
          aria-controls="pane"
          tabIndex={name === tab ? 0 : -1}
          onClick={() => onTab(name)}
        >
          {TABS[name]}
        </button>
      ))}
    </div>
  )
}
