import { useState } from 'preact/hooks'
import { LANGUAGES, snippet } from '../state/snippets.ts'
import type { Language } from '../state/snippets.ts'
import type { GenerateBody } from '../state/settings.ts'
import { Icon } from './icons.tsx'

/** The request as a program to paste. */
export function CodePanel({ body, note }: { body: GenerateBody; note: string }) {
  const [language, setLanguage] = useState<Language>('curl')
  const [copied, setCopied] = useState<string | undefined>(undefined)
  const code = snippet(language, { origin: location.origin, body })
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(code)
      setCopied('Copied')
    } catch {
      setCopied('Not allowed here: select the text instead')
    }
  }
  return (
    <section class="code" aria-labelledby="code-title">
      <div class="code-head">
        <h2 id="code-title">Request</h2>
        <div class="code-tabs" role="group" aria-label="Language">
          {LANGUAGES.map((name) => (
            <button
              key={name}
              type="button"
              aria-pressed={name === language}
              onClick={() => setLanguage(name)}
            >
              {name}
            </button>
          ))}
        </div>
      </div>
      <p class="says">{note}</p>
      <pre tabIndex={0} aria-label={`Request as ${language}`}>
        <code>{code}</code>
      </pre>
      <div class="code-foot">
        <button type="button" class="button" onClick={() => void copy()}>
          <Icon name="copy" />
          Copy
        </button>
        <span role="status">{copied}</span>
      </div>
    </section>
  )
}
