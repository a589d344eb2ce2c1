import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GenerateRequest, GenerateSettings, Usage } from '@setblock/client'
import {
  ERRORS,
  modeSchema,
  ruleSchema,
  type GammaPreset,
  type Mode,
  type Rule,
} from '@setblock/shared'
import type * as z from 'zod'
import { RETRYABLE_CODES } from '../../client/src/errors.ts'
import {
  parseNativeRequest,
  type nativeRequestSchema,
} from '../../edge/src/requests/native-request.ts'
import type { toUsage } from '../../edge/src/responses/answer-form.ts'

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false

// The client imports nothing of ours, so that it can go anywhere; the compiler compares its types with the contract's.
true satisfies Same<NonNullable<GenerateSettings['mode']>, Mode>
true satisfies Same<NonNullable<GenerateSettings['rule']>, Rule>
true satisfies Same<Extract<GenerateSettings['gamma'], string>, GammaPreset>
true satisfies Same<keyof GenerateRequest | 'stream', keyof z.input<typeof nativeRequestSchema>>
true satisfies Same<keyof Usage, keyof ReturnType<typeof toUsage>>
true satisfies ReturnType<typeof toUsage> extends Usage ? true : false

/** A value for every setting there is: the compiler misses none, and knows no other. */
const settings: Required<GenerateSettings> = {
  model: 'm',
  max_tokens: 5,
  temperature: 1,
  top_p: 0.5,
  top_k: 3,
  seed: 1,
  stop: ['a', 'b'],
  mode: 'sbd',
  gamma: 'low',
  block_length: 4,
  rule: 'strict',
  latency_budget_ms: 100,
  response_format: {
    type: 'json_schema',
    json_schema: { name: 'n', schema: { type: 'object' }, description: 'd', strict: true },
  },
  logprobs: 2,
  reveals: true,
  session: 's',
  append: true,
  on_disconnect: 'keep',
}

test('the edge takes every setting the client has', () => {
  const messages = (['system', 'developer', 'user', 'assistant'] as const).map((role) => ({
    role,
    content: 'c',
  }))
  const requests: GenerateRequest[] = [
    { ...settings, prompt: 'p' },
    { ...settings, stop: 'a', gamma: 0.2, messages },
    ...modeSchema.options.map((mode) => ({ model: 'm', prompt: 'p', mode })),
    ...ruleSchema.options.map((rule) => ({ model: 'm', prompt: 'p', rule })),
  ]
  for (const request of requests) {
    const parsed = parseNativeRequest({ ...request, stream: true })
    assert.equal(parsed.stream, true)
  }
})

test('of the errors of the API the client repeats after the retryable ones alone', () => {
  for (const [code, { retryable }] of Object.entries(ERRORS)) {
    assert.equal(RETRYABLE_CODES.has(code), retryable, code)
  }
})
