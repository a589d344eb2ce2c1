import { useEffect, useRef, useState } from 'preact/hooks'
import { forwardsAt, msOfForward, slowdown } from '../state/replay.ts'
import type { Timeline } from '../state/replay.ts'

/** A replay of recorded runs that began together. */
export interface Playback {
  /** Recorded milliseconds shown; undefined outside a replay, when runs are shown as they ended. */
  atMs: number | undefined
  playing: boolean
  /** How many times slower than recorded. */
  factor: number
  /** Forwards of the lane that took longest, and how many of them are shown. */
  forwards: number
  shown: number
  play(this: void): void
  pause(this: void): void
  seek(this: void, forwards: number): void
  /** Back to the runs as they ended. */
  leave(this: void): void
}

export function usePlayback(timelines: readonly Timeline[]): Playback {
  const [atMs, setAtMs] = useState<number | undefined>(undefined)
  const [playing, setPlaying] = useState(false)
  const factor = slowdown(timelines)
  const longest = timelines.toSorted((a, b) => b.endMs - a.endMs)[0]
  const endMs = longest?.endMs ?? 0
  useFrames(playing, (elapsedMs) => {
    setAtMs((before) => {
      const next = (before ?? 0) + elapsedMs / factor
      if (next < endMs) return next
      setPlaying(false)
      return endMs
    })
  })
  return {
    atMs,
    playing,
    factor,
    forwards: longest?.forwards ?? 0,
    shown: longest === undefined ? 0 : forwardsAt(longest, atMs ?? endMs),
    play() {
      setAtMs((before) => (before === undefined || before >= endMs ? 0 : before))
      setPlaying(true)
    },
    pause: () => setPlaying(false),
    seek(forwards) {
      setPlaying(false)
      if (longest !== undefined) setAtMs(msOfForward(longest, forwards))
    },
    leave() {
      setPlaying(false)
      setAtMs(undefined)
    },
  }
}

/** Calls `step` with the milliseconds between pictures, as long as `running`. */
function useFrames(running: boolean, step: (elapsedMs: number) => void): void {
  const latest = useRef(step)
  latest.current = step
  useEffect(() => {
    if (!running) return
    let before = performance.now()
    let frame = requestAnimationFrame(function next(now) {
      latest.current(Math.max(0, now - before))
      before = now
      frame = requestAnimationFrame(next)
    })
    return () => cancelAnimationFrame(frame)
  }, [running])
}
