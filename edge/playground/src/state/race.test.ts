import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judge, medianRecording, NEW_RACE, raceOrder, stepRace } from './race.ts'
import type { Race, Recording } from './race.ts'
import { NEW_RUN } from './run.ts'

const record = (lastMs: number, forwards: number, text = 'x'): Recording => ({
  events: [],
  run: {
    ...NEW_RUN,
    status: 'done',
    lastMs,
    text,
    usage: {
      prompt_tokens: 1,
      completion_tokens: 12,
      forward_passes: forwards,
      forward_passes_details: { prefill: 0, decode: forwards },
      tokens_per_forward: 12 / forwards,
    },
  },
})

function raceOf(ntp: Recording[], rival: Recording[]): Race {
  let race = stepRace(NEW_RACE, { type: 'start', rival: 'verified', rounds: ntp.length })
  for (const [lane, recordings] of [
    ['ntp', ntp],
    ['rival', rival],
  ] as const) {
    for (const recording of recordings) {
      race = stepRace(race, { type: 'lane', lane })
      race = stepRace(race, { type: 'finished', recording })
    }
  }
  return race
}

test('the lanes take turns in going first', () => {
  assert.deepEqual(raceOrder(3), ['ntp', 'rival', 'rival', 'ntp', 'ntp', 'rival'])
})

test('the median run counts, not the best or the last', () => {
  const runs = [record(90, 4), record(10, 4), record(50, 4)]
  assert.equal(medianRecording(runs)?.run.lastMs, 50)
  assert.equal(medianRecording(runs.slice(0, 2))?.run.lastMs, 90)
  assert.equal(medianRecording([]), undefined)
})

test('there is a verdict once the race is over, and a loss is a loss', () => {
  const race = raceOf([record(40, 12)], [record(50, 3, 'y')])
  assert.equal(judge(race), undefined)
  assert.deepEqual(judge(stepRace(race, { type: 'over' })), {
    forwards: { ntp: 12, rival: 3, ratio: 4 },
    ms: { ntp: 40, rival: 50, ratio: 0.8 },
    sameText: false,
  })
})

test('what comes when no lane is running changes nothing', () => {
  assert.equal(stepRace(NEW_RACE, { type: 'events', events: [] }), NEW_RACE)
  assert.equal(stepRace(NEW_RACE, { type: 'finished', recording: record(1, 1) }), NEW_RACE)
  assert.deepEqual(stepRace(raceOf([record(1, 1)], []), { type: 'clear' }), NEW_RACE)
})
