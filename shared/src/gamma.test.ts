import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as z from 'zod'
import { GAMMA_PRESETS, gammaInputSchema } from './gamma.ts'
import { limits } from './limits.ts'
import { parseWith } from './parse.ts'

test('presets parse to their bound in nats, and rise', () => {
  assert.equal(gammaInputSchema.parse('low'), 0.1)
  assert.equal(gammaInputSchema.parse('balanced'), 0.35)
  assert.equal(gammaInputSchema.parse('high'), 0.6)
  assert.ok(GAMMA_PRESETS.low < GAMMA_PRESETS.balanced)
  assert.ok(GAMMA_PRESETS.balanced < GAMMA_PRESETS.high)
})

test('a number is taken as it is, bounds included', () => {
  for (const gamma of [0, 0.5, limits.gammaMax]) assert.equal(gammaInputSchema.parse(gamma), gamma)
})

for (const value of [-0.1, limits.gammaMax + 1, Number.NaN, Infinity, '0.35', 'medium', '', null]) {
  test(`gamma ${JSON.stringify(value)} is refused and the message names the choices`, () => {
    assert.throws(() => parseWith(z.object({ gamma: gammaInputSchema }), { gamma: value }), {
      code: 'invalid_request',
      param: 'gamma',
      message: /low, balanced, high/,
    })
  })
}
