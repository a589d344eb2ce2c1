import { useEffect, useRef } from 'preact/hooks'
import type { Access } from './use-access.ts'
import { Notice } from './notice.tsx'

interface KeyFormProps {
  access: Exclude<Access, { status: 'open' }>
  onKey(this: void, key: string): void
}

/** Asks for a key. It stays in this tab. */
export function KeyForm({ access, onKey }: KeyFormProps) {
  const field = useRef<HTMLInputElement>(null)
  const checking = access.status === 'checking'
  const failure = access.status === 'locked' ? access.failure : undefined
  const known = access.status === 'locked' ? access.key : undefined
  const again = known === undefined ? {} : { onRetry: () => onKey(known) }
  useEffect(() => {
    if (!checking) field.current?.focus()
  }, [checking])
  const submit = (event: Event) => {
    event.preventDefault()
    const key = field.current?.value.trim() ?? ''
    if (key !== '') onKey(key)
  }
  return (
    <section class="card key-card" aria-labelledby="key-title">
      <h2 id="key-title">Enter an API key</h2>
      <p>
        <code>npm start</code> prints a demo key, and a link that brings it along. It is kept in
        this tab only and forgotten when the tab closes.
      </p>
      {failure === undefined ? null : <Notice failure={failure} {...again} />}
      <form class="key-form" onSubmit={submit}>
        <label for="key">API key</label>
        <div class="key-line">
          <input
            id="key"
            ref={field}
            type="password"
            autocomplete="off"
            spellcheck={false}
            placeholder="sb-…"
            required
            disabled={checking}
            aria-invalid={failure?.remedy === 'key'}
          />
          <button type="submit" class="button primary" disabled={checking}>
            {checking ? 'Checking …' : 'Continue'}
          </button>
        </div>
      </form>
    </section>
  )
}
