import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NativeEvent, TimedEvent } from './events.ts'
import { forwardsAt, msOfForward, runAfter, slowdown, timelineOf } from './replay.ts'
import { NEW_RUN, takeEvent } from './run.ts'

const timeline = { forwards: 5, firstMs: 10, endMs: 50 }

test('forwards are spread evenly from the first event to the last', () => {
  const at = [0, 9.9, 10, 19, 20, 30, 40, 49, 50, 500]
  assert.deepEqual(
    at.map((ms) => forwardsAt(timeline, ms)),
    [0, 0, 1, 1, 2, 3, 4, 4, 5, 5],
  )
})

test('a step of the slider shows exactly that forward', () => {
  for (const forwards of [1, 2, 3, 7, 55, 161, 499]) {
    for (const [firstMs, endMs] of [
      [10, 50],
      [0.1, 333.7],
      [7, 7],
    ] as const) {
      const each = { forwards, firstMs, endMs }
      for (let count = 0; count <= forwards; count++) {
        const shown = forwardsAt(each, msOfForward(each, count))
        // Where all came at once there is nothing between none and all.
        const wanted = firstMs === endMs && count > 0 ? forwards : count
        assert.equal(shown, wanted, `${count} of ${forwards} from ${firstMs} to ${endMs}`)
      }
    }
  }
})

test('a replay is never faster than what it replays, and takes seconds', () => {
  assert.equal(slowdown([{ forwards: 500, firstMs: 10, endMs: 60_000 }]), 1)
  const short = { forwards: 10, firstMs: 5, endMs: 40 }
  assert.equal(slowdown([short]) * short.endMs, 3_200)
  // One factor for all lanes: the longest sets it.
  assert.equal(slowdown([short, { ...short, endMs: 80 }]) * 80, 3_200)
})

test('the past of a run is the run after its first events', () => {
  const token = (position: number) => ({ position, id: 1, text: 'a' })
  const events: TimedEvent[] = (
    [
      {
        type: 'start',
        id: 'g',
        model: 'm',
        decoding: { mode: 'sbd', block_length: 2 },
        seed: 1,
        prompt_tokens: 1,
      },
      { type: 'reveal', block: 0, step: 0, tokens: [token(2)] },
      { type: 'reveal', block: 0, step: 1, tokens: [token(1)] },
      { type: 'text', delta: 'aa' },
    ] satisfies NativeEvent[]
  ).map((event, index) => ({ atMs: 5 + index, event }))
  const run = events.reduce(takeEvent, NEW_RUN)
  assert.deepEqual(timelineOf(run), { forwards: 2, firstMs: 6, endMs: 8 })
  assert.deepEqual(runAfter(events, run, 0).tokens, [])
  assert.equal(runAfter(events, run, 1).tokens[0], undefined)
  assert.equal(runAfter(events, run, 1).tokens[1]?.step, 0)
  assert.equal(runAfter(events, run, 2), run)
})
