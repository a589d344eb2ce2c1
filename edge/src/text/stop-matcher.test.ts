import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRandom } from '../test-support/random-source.ts'
import { createStopMatcher } from './stop-matcher.ts'

/** Everything that goes out when `pieces` come in, and whether a stop string was found. */
function run(pieces: readonly string[], stops: readonly string[]) {
  const matcher = createStopMatcher(stops)
  const sent: string[] = []
  for (const piece of pieces) {
    const { text, stopped } = matcher.push(piece)
    sent.push(text)
    if (stopped) return { sent, stopped }
  }
  sent.push(matcher.flush())
  return { sent, stopped: false }
}

test('without stop strings everything passes at once', () => {
  assert.deepEqual(run(['ab', 'c'], []), { sent: ['ab', 'c', ''], stopped: false })
})

test('a possible beginning is held back until it is none, and flushed at the end', () => {
  assert.deepEqual(run(['one\n', 'two\n', '\nthree'], ['\n\n']), {
    sent: ['one', '\ntwo', ''],
    stopped: true,
  })
  assert.deepEqual(run(['one\n'], ['\n\n']), { sent: ['one', '\n'], stopped: false })
})

test('a stop string may be spread over any number of pieces', () => {
  assert.deepEqual(run(['x', 'E', 'N', 'D', 'y'], ['END']), {
    sent: ['x', '', '', ''],
    stopped: true,
  })
})

test('a beginning that fails may contain a later beginning', () => {
  assert.deepEqual(run(['aab'], ['ab']), { sent: ['a'], stopped: true })
  assert.deepEqual(run(['a', 'a', 'b'], ['ab']), { sent: ['', 'a', ''], stopped: true })
})

test('the match that completes first wins, the longest of those that complete together', () => {
  assert.deepEqual(run(['xabcd'], ['abcd', 'bc']), { sent: ['xa'], stopped: true })
  assert.deepEqual(run(['xab'], ['b', 'ab']), { sent: ['x'], stopped: true })
})

test('the result does not depend on how the text is cut', () => {
  const random = createRandom(7)
  for (let round = 0; round < 500; round++) {
    const letters = (count: number) =>
      Array.from({ length: count }, () => 'abc'[random.below(3)]).join('')
    const text = letters(random.below(30))
    const stops = Array.from({ length: 1 + random.below(3) }, () => letters(1 + random.below(4)))
    const pieces: string[] = []
    for (let rest = text; rest !== '';) {
      const size = 1 + random.below(4)
      pieces.push(rest.slice(0, size))
      rest = rest.slice(size)
    }
    const whole = run([text], stops)
    const cut = run(pieces, stops)
    assert.equal(cut.sent.join(''), whole.sent.join(''), JSON.stringify({ text, stops, pieces }))
    assert.equal(cut.stopped, whole.stopped)
    for (const stop of stops) assert.ok(!cut.sent.join('').includes(stop))
  }
})
