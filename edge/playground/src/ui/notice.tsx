import type { Failure } from '../state/failure.ts'

interface NoticeProps {
  failure: Failure
  onRetry?: (() => void) | undefined
  onKey?: (() => void) | undefined
}

/** What went wrong, and the one thing to do about it. */
export function Notice({ failure, onRetry, onKey }: NoticeProps) {
  return (
    <div class="notice" role="alert">
      <p>
        <strong>{failure.title}.</strong> {failure.detail}
      </p>
      {failure.remedy === 'retry' && onRetry !== undefined ? (
        <button type="button" class="button" onClick={onRetry}>
          Try again
        </button>
      ) : null}
      {failure.remedy === 'key' && onKey !== undefined ? (
        <button type="button" class="button" onClick={onKey}>
          Use another key
        </button>
      ) : null}
    </div>
  )
}
