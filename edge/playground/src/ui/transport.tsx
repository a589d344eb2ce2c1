import { figure, plural } from './format.ts'
import { Icon } from './icons.tsx'
import type { Playback } from './use-playback.ts'

/** Play, pause and step through a recorded run, with a plain word on what it is. */
export function Transport({ playback, runs }: { playback: Playback; runs: string }) {
  const { playing, factor, forwards, shown, atMs } = playback
  return (
    <div class="transport">
      <button type="button" class="button" onClick={playing ? playback.pause : playback.play}>
        <Icon name={playing ? 'pause' : 'play'} />
        {playing ? 'Pause' : 'Replay slowly'}
      </button>
      <input
        type="range"
        min={0}
        max={forwards}
        step={1}
        value={shown}
        aria-label="Forward pass shown"
        aria-valuetext={`after ${plural(shown, 'forward')} of ${forwards}`}
        onInput={(event) => playback.seek(Number(event.currentTarget.value))}
      />
      <p class="transport-note">
        {atMs === undefined ? (
          `Shown as it ended, after ${plural(forwards, 'forward')}.`
        ) : (
          <>
            <strong>Replay</strong> of the recorded {runs}, {figure(factor)} times slower, with
            forwards evenly spaced: {shown} of {forwards}.
          </>
        )}
      </p>
    </div>
  )
}
