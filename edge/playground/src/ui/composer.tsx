import { useEffect, useRef } from 'preact/hooks'
import { Icon } from './icons.tsx'

interface ComposerProps {
  label: string
  action: string
  draft: string
  busy: boolean
  onDraft(this: void, draft: string): void
  onSend(this: void, prompt: string): void
  onStop(this: void): void
}

/** Where a prompt is written. Enter sends, Shift and Enter make a new line, Escape stops. */
export function Composer(props: ComposerProps) {
  const { label, action, draft, busy, onDraft, onSend, onStop } = props
  const field = useRef<HTMLTextAreaElement>(null)
  useEffect(() => field.current?.focus({ preventScroll: true }), [])
  const send = () => {
    if (!busy && draft.trim() !== '') onSend(draft)
  }
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
    event.preventDefault()
    send()
  }
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
      onKeyDown={(event) => {
        if (event.key === 'Escape' && busy) onStop()
      }}
    >
      <label class="visually-hidden" for="prompt">
        {label}
      </label>
      <textarea
        id="prompt"
        ref={field}
        rows={2}
        placeholder={label}
        value={draft}
        onInput={(event) => onDraft(event.currentTarget.value)}
        onKeyDown={onKey}
      />
      {busy ? (
        <button type="button" class="button danger" onClick={onStop}>
          <Icon name="stop" />
          Stop
        </button>
      ) : (
        <button type="submit" class="button primary" aria-disabled={draft.trim() === ''}>
          <Icon name="send" />
          {action}
        </button>
      )}
    </form>
  )
}
