/**
 * Whatever a client sends, it is answered or refused by name. Repeat a failure with the seed it
 * prints; SETBLOCK_FUZZ_RUNS and SETBLOCK_FUZZ_SEED choose how many bodies and which.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fuzz, FUZZED } from '../test-support/fuzz.ts'
import { startHarness } from '../test-support/harness.ts'
import { write } from '../test-support/scripts.ts'

const runs = Number(process.env['SETBLOCK_FUZZ_RUNS'] ?? 300)
const seed = Number(process.env['SETBLOCK_FUZZ_SEED'] ?? 20_261_121)

for (const route of FUZZED) {
  test(`${route.path} never fails, whatever the body`, async (t) => {
    const { post } = await startHarness(t, { script: write('a') })
    const outcome = await fuzz({ route, model: 'tiny', post, runs, seed })
    t.diagnostic(`${outcome.answered} answered, ${outcome.refused} refused`)
    assert.ok(outcome.answered > runs / 20, 'hardly a body was valid')
    assert.ok(outcome.refused > runs / 20, 'hardly a body was invalid')
  })
}
