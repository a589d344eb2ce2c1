import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Acceptance } from './acceptance.ts'

test('a likely token is given a better chance, less so after a failure', () => {
  const acceptance = new Acceptance(8)
  const [sure, likely, doubtful] = [0, -0.1, -2].map((p) => acceptance.ofToken(p, false))
  assert.equal(sure, 1)
  assert.ok(sure > likely! && likely! > doubtful! && doubtful! > Math.exp(-2))
  assert.ok(acceptance.ofToken(-0.1, true) < likely!)
})

test('places follow what the groups promise, and go on beyond a short one', () => {
  const acceptance = new Acceptance(6)
  for (let seen = 0; seen < 40; seen += 1) {
    acceptance.groupSeen(Float32Array.of(-9, -0.01, -0.5))
  }
  const [, first, second, third, last] = acceptance.places
  assert.ok(first! > 0.99)
  assert.ok(second! < 0.75)
  assert.ok(Math.abs(third! - second!) < 1e-3 && Math.abs(last! - second!) < 1e-3)
})

test('chances fall where tokens fail, and rise where they hold', () => {
  const chanceAfter = (held: boolean): number => {
    const acceptance = new Acceptance(8)
    for (let checked = 0; checked < 50; checked += 1) {
      acceptance.tokenChecked(acceptance.ofToken(-0.5, false), held)
    }
    return acceptance.ofToken(-0.5, false)
  }
  const untouched = new Acceptance(8).ofToken(-0.5, false)
  assert.ok(chanceAfter(false) < 0.6 * untouched)
  assert.ok(chanceAfter(true) > 1.15 * untouched)
})
