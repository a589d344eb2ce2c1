import type { ComponentChildren } from 'preact'
import { useMedia } from './use-media.ts'

/** Controls beside the pane where there is room, and folded away above it on a phone. */
export function SidePanel({ summary, children }: { summary: string; children: ComponentChildren }) {
  const wide = useMedia('(min-width: 60rem)')
  if (wide) return <aside class="side">{children}</aside>
  return (
    <details class="side folded">
      <summary>Settings: {summary}</summary>
      {children}
    </details>
  )
}
