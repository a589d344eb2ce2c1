/**
 * Finds stop strings in text that arrives in pieces.
 *
 * Text that could still turn out to be the beginning of a stop string is held back. The match that
 * completes first wins, the longest of those that complete together; so the result does not depend
 * on how the text was cut into pieces.
 */
export interface StopMatcher {
  /** Adds text; `text` may be sent now. After `stopped` the matcher takes no more. */
  push(text: string): { text: string; stopped: boolean }
  /** The held-back text, once it is certain that no more follows. */
  flush(): string
}

export function createStopMatcher(stops: readonly string[]): StopMatcher {
  let held = ''
  return {
    push(text) {
      const pending = held + text
      const match = firstMatch(pending, stops)
      if (match !== undefined) {
        held = ''
        return { text: pending.slice(0, match), stopped: true }
      }
      const safe = pending.length - longestOpenPrefix(pending, stops)
      held = pending.slice(safe)
      return { text: pending.slice(0, safe), stopped: false }
    },
    flush() {
      const rest = held
      held = ''
      return rest
    },
  }
}

/** Where the first completed stop string starts, or undefined. */
function firstMatch(text: string, stops: readonly string[]): number | undefined {
  let best: { start: number; end: number } | undefined
  for (const stop of stops) {
    const start = text.indexOf(stop)
    if (start < 0) continue
    const end = start + stop.length
    if (best === undefined || end < best.end || (end === best.end && start < best.start)) {
      best = { start, end }
    }
  }
  return best?.start
}

/** Length of the longest suffix of `text` that a stop string begins with, without completing it. */
function longestOpenPrefix(text: string, stops: readonly string[]): number {
  let longest = 0
  for (const stop of stops) {
    const most = Math.min(stop.length - 1, text.length)
    for (let length = most; length > longest; length--) {
      if (text.endsWith(stop.slice(0, length))) {
        longest = length
        break
      }
    }
  }
  return longest
}
