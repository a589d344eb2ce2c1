import { useEffect } from 'preact/hooks'
import { countRun } from '../state/counters.ts'
import { judge, medianRecording } from '../state/race.ts'
import type { Lane, Race, Recording, Verdict } from '../state/race.ts'
import { forwardsAt, runAfter, timelineOf } from '../state/replay.ts'
import { isOver, NEW_RUN } from '../state/run.ts'
import type { Run } from '../state/run.ts'
import { Answer } from './answer.tsx'
import { describeDecoding } from './chat-view.tsx'
import { Counter } from './counters.tsx'
import { figure, milliseconds, plural, times } from './format.ts'
import { Transport } from './transport.tsx'
import { REDUCED_MOTION, useMedia } from './use-media.ts'
import { usePlayback } from './use-playback.ts'

/** Both lanes, the verdict, and the slow replay in which they run side by side. */
export function RaceView({ race }: { race: Race }) {
  const verdict = judge(race)
  const recordings = {
    ntp: medianRecording(race.recordings.ntp),
    rival: medianRecording(race.recordings.rival),
  }
  const timelines = Object.values(recordings).flatMap((recording) =>
    recording === undefined ? [] : [timelineOf(recording.run)],
  )
  const playback = usePlayback(timelines)
  const still = useMedia(REDUCED_MOTION)
  const over = verdict !== undefined
  useEffect(() => {
    if (over && !still) playback.play()
    if (!over) playback.leave()
  }, [over])

  const runOf = (lane: Lane): Run => {
    const recording = over ? recordings[lane] : undefined
    if (recording !== undefined) return replayed(recording, playback.atMs)
    if (race.current?.lane === lane) return race.current.run
    return race.recordings[lane].at(-1)?.run ?? NEW_RUN
  }
  const scale = recordings.ntp?.run
  return (
    <div class="race">
      {race.status === 'running' ? <Progress race={race} /> : null}
      {verdict === undefined ? null : (
        <>
          <VerdictView verdict={verdict} race={race} />
          <Transport playback={playback} runs="runs" />
        </>
      )}
      <div class="lanes">
        <LaneView name="ntp" run={runOf('ntp')} scale={scale} />
        <LaneView name={race.rival} run={runOf('rival')} scale={scale} />
      </div>
    </div>
  )
}

function replayed({ run, events }: Recording, atMs: number | undefined): Run {
  if (atMs === undefined) return run
  const past = runAfter(events, run, forwardsAt(timelineOf(run), atMs))
  return isOver(past) ? past : { ...past, lastMs: Math.min(atMs, run.lastMs) }
}

function Progress({ race }: { race: Race }) {
  const done = race.recordings.ntp.length + race.recordings.rival.length
  return (
    <p class="progress">
      Run {Math.min(done + 1, race.rounds * 2)} of {race.rounds * 2}, one after the other so that
      neither slows the other …
    </p>
  )
}

function VerdictView({ verdict, race }: { verdict: Verdict; race: Race }) {
  const { forwards, ms, sameText } = verdict
  const { rival, rounds } = race
  return (
    <section class="verdict" aria-label="Result">
      <p class="verdict-item">
        <strong>{phrase(forwards.ratio, 'fewer forwards', 'more forwards')}</strong>
        <span>
          {figure(forwards.rival)} in {rival}, {figure(forwards.ntp)} in ntp
        </span>
      </p>
      <p class={ms.ratio >= 1 ? 'verdict-item' : 'verdict-item lost'}>
        <strong>{phrase(ms.ratio, 'faster', 'slower')}</strong>
        <span>
          {milliseconds(ms.rival)} in {rival}, {milliseconds(ms.ntp)} in ntp
          {rounds > 1 ? `, medians of ${rounds} runs each` : ', one run each'}
        </span>
      </p>
      <p class="verdict-item plain">
        <strong>{sameText ? 'Same text' : 'Other text'}</strong>
        <span>
          {sameText ? `${rival} wrote what ntp wrote` : `${rival} wrote something else than ntp`}
        </span>
      </p>
    </section>
  )
}

function phrase(ratio: number, better: string, worse: string): string {
  return ratio >= 1 ? `${times(ratio)} ${better}` : `${times(1 / ratio)} ${worse}`
}

/** What the name of the lane does not say. */
function laneFacts({ decoding }: Run): string {
  if (decoding === undefined) return ''
  return decoding.mode === 'ntp' ? 'one token a forward' : describeDecoding(decoding, 'brief')
}

interface LaneProps {
  name: string
  run: Run
  scale: Run | undefined
}

function LaneView({ name, run, scale = run }: LaneProps) {
  const { forwards, tokens, tokensPerForward } = countRun(run)
  const begun = run.status !== 'waiting'
  return (
    <section class="card lane" aria-label={`Lane ${name}`} data-status={run.status}>
      <div class="lane-head">
        <h2>{name}</h2>
        <p class="facts">{laneFacts(run)}</p>
        {isOver(run) && begun ? <span class="finish">finished</span> : null}
      </div>
      <dl class="counters">
        <Counter
          name="forwards"
          value={begun ? figure(forwards) : '–'}
          note={begun ? plural(tokens, 'token') : undefined}
          strong
        />
        <Counter name="time" value={begun ? milliseconds(run.lastMs) : '–'} />
        <Counter
          name="per forward"
          value={figure(tokensPerForward, 2)}
          note={begun ? 'tokens' : undefined}
        />
      </dl>
      <Answer run={run} scale={scale} label={`Answer of ${name}`} />
    </section>
  )
}
