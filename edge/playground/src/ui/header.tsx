import { maskKey } from '../state/key.ts'
import { Icon, Logo } from './icons.tsx'

interface HeaderProps {
  /** The key in use; undefined while there is none. */
  apiKey: string | undefined
  onLeave(this: void): void
}

export function Header({ apiKey, onLeave }: HeaderProps) {
  return (
    <header class="header">
      <h1 class="brand">
        <Logo />
        Setblock <span class="brand-sub">playground</span>
      </h1>
      <nav aria-label="Documentation">
        <a href="/docs">API reference</a>
        <a href="/openapi.json">OpenAPI</a>
      </nav>
      {apiKey === undefined ? null : (
        <button type="button" class="button quiet" onClick={onLeave}>
          <Icon name="key" />
          <span class="key-mask">{maskKey(apiKey)}</span>
          <span class="visually-hidden">: forget this key and use another</span>
        </button>
      )}
    </header>
  )
}
